/** What wheels, pointers and keys mean to the timeline. Places are pixels from the lanes' left edge. */

// How much of a zoom a pixel of the wheel is, and how many of them count at once: a notch is a hundred.
const ZOOM_A_PIXEL = 0.012;
const NOTCH = 50;
const LINE_PX = 16;
const STEP = 2;
const KEYS = { "+": STEP, "=": STEP, "-": 1 / STEP, "−": 1 / STEP, _: 1 / STEP };

/**
 * @param {HTMLElement} area in which wheel and pointer count
 * @param {{x: (event: MouseEvent) => number, at: (event: MouseEvent) => boolean, zoom: (factor: number, x?: number) => void,
 *   pan: (pixels: number) => boolean, seek: (x: number) => void, hover: (event: PointerEvent|null) => void}} does
 */
export function listen(area, does) {
  area.addEventListener("wheel", (event) => wheel(event, does), { passive: false });
  const fingers = new Map();
  let scrubbing = false;
  area.addEventListener("pointerdown", (event) => {
    if (event.button || !does.at(event)) return;
    area.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, does.x(event));
    scrubbing = fingers.size === 1;
    if (scrubbing) does.seek(does.x(event));
  });
  area.addEventListener("pointermove", (event) => {
    if (fingers.size === 2 && fingers.has(event.pointerId)) pinch(fingers, event, does);
    if (scrubbing) does.seek(does.x(event));
    does.hover(scrubbing || does.at(event) ? event : null);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    area.addEventListener(name, (event) => { fingers.delete(event.pointerId); scrubbing = false; });
  }
  area.addEventListener("pointerleave", () => does.hover(null));
}

/** A plain wheel scrolls the page; with control, or two fingers on a pad, it zooms; across, it pans. */
function wheel(event, does) {
  const unit = event.deltaMode ? LINE_PX : 1;
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    const much = Math.max(-NOTCH, Math.min(NOTCH, event.deltaY * unit));
    does.zoom(2 ** (-much * ZOOM_A_PIXEL), does.x(event));
    return;
  }
  const across = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
  if (Math.abs(across) > Math.abs(event.shiftKey ? 0 : event.deltaY) && does.pan(across * unit)) event.preventDefault();
}

function pinch(fingers, event, does) {
  const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
  const [before, now] = [fingers.get(event.pointerId), does.x(event)];
  const apart = Math.max(1, Math.abs(before - other));
  does.zoom(Math.max(1, Math.abs(now - other)) / apart, other);
  fingers.set(event.pointerId, now);
}

/** What a key does, where it does something: plus and minus zoom, nought shows all. */
export function pressed(event, does) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
  const factor = event.key === "0" ? 0 : KEYS[event.key];
  if (factor === undefined) return;
  event.preventDefault();
  does.zoom(factor);
}
