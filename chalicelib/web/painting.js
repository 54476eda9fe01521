/** How segments, gaps and marks look on a lane's canvas. Places in CSS pixels; colours from the palette. */

const ROUND = 5;
const DOTS = { dot: 2, apart: 5, tall: 8 };
const THIN = 1.5;
const WORDS_PX = 11;
const ROOM = 24;
const NARROW = 3;
const BADGE = 7;
export const FLAG = 7;

/** What of a stretch is in view: its edges, and where it would reach if all were. */
export function placed(item, scale) {
  const [left, right] = [scale.x(item.start), scale.x(item.end)];
  return { left, right, wide: right - left, from: Math.max(0, left), until: Math.min(scale.width, right) };
}

export const inView = (item, scale) => item.end > scale.start && item.start < scale.end;

const patterns = new Map();

/** A dotted line's pattern, made once for each colour. */
function dotted(ctx, colour) {
  if (!patterns.has(colour)) {
    const tile = new OffscreenCanvas(DOTS.apart, DOTS.tall);
    const dot = tile.getContext("2d");
    dot.fillStyle = colour;
    dot.fillRect(0, 0, DOTS.dot, DOTS.tall);
    patterns.set(colour, ctx.createPattern(tile, "repeat"));
  }
  return patterns.get(colour);
}

/** What a lane is drawn with: its context, size, scale and colours. */
export class Brush {
  constructor(surface, scale, palette, hue) {
    const { ctx, width, height, sharp } = surface;
    Object.assign(this, { ctx, width, height, sharp, scale, plain: palette.plain, own: palette.hues[hue], font: palette.font });
  }

  /** A stretch's body: rounded where it truly begins and ends, and at least a line. */
  body(item, colour) {
    const { left, wide } = placed(item, this.scale);
    const [from, until] = [Math.max(-2 * ROUND, left), Math.min(this.width + 2 * ROUND, left + Math.max(1, wide))];
    this.ctx.beginPath();
    if (until - from < NARROW) this.ctx.rect(from, 0, until - from, this.height);
    else this.ctx.roundRect(from, 0, until - from, this.height, Math.min(ROUND, (until - from) / 2));
    this.ctx.fillStyle = colour;
    this.ctx.fill();
  }

  /** Draw within a stretch's body, which `body` has just traced; where it is narrow, nobody sees its corners. */
  within(draw, wide) {
    if (wide < 2 * ROUND) return draw();
    this.ctx.save();
    this.ctx.clip();
    draw();
    this.ctx.restore();
  }

  /** Words in the middle of what is in view, where they have room; how much they took. */
  words(text, edges, colour, ground = null) {
    if (edges.until - edges.from < ROOM) return 0;
    this.ctx.font = `500 ${WORDS_PX}px ${this.font}`;
    const wide = this.ctx.measureText(text).width + ROOM / 2;
    if (edges.until - edges.from < wide + ROOM / 2) return 0;
    const middle = (edges.from + edges.until) / 2;
    if (ground) this.line(middle - wide / 2, ground, wide, 2, this.height - 2);
    this.ctx.fillStyle = colour;
    this.ctx.textBaseline = "middle";
    this.ctx.textAlign = "center";
    this.ctx.fillText(text, middle, this.height / 2 + 0.5);
    return wide;
  }

  /** A thin line up and down. */
  line(x, colour, wide = THIN, top = 0, bottom = this.height) {
    this.ctx.fillStyle = colour;
    this.ctx.fillRect(x, top, wide, bottom - top);
  }

  /** Filled with a pattern: a dashed line costs as much as it has dashes. */
  dots(from, until, colour) {
    if (until > from) this.line(from, dotted(this.ctx, colour), until - from, this.height / 2 - THIN / 2, this.height / 2 + THIN / 2);
  }

  hatch(edges, colour) {
    this.ctx.strokeStyle = colour;
    this.ctx.lineWidth = THIN;
    this.ctx.beginPath();
    const reach = this.height;
    for (let x = Math.floor((edges.from - reach) / ROUND) * ROUND; x < edges.until; x += ROUND) {
      this.ctx.moveTo(x, reach);
      this.ctx.lineTo(x + reach / 2, 0);
    }
    this.ctx.stroke();
  }
}

/** Nothing was sent, with the reason in words where there is room. */
export function drawGap(brush, gap) {
  const edges = placed(gap, brush.scale);
  (gap.state === "lost" ? drawLost : drawQuiet)(brush, gap, edges);
}

function drawLost(brush, gap, edges) {
  brush.body(gap, brush.plain["bad-well"]);
  brush.within(() => {
    brush.ctx.globalAlpha = 0.35;
    brush.hatch(edges, brush.plain.bad);
    brush.ctx.globalAlpha = 1;
  }, edges.until - edges.from);
  brush.words(gap.short, edges, brush.plain.bad, brush.plain["bad-well"]);
}

function drawQuiet(brush, gap, edges) {
  const [said, colour] = gap.state === "awaited" ? [brush.plain.live, brush.plain.live] : [brush.plain.soft, brush.plain.edge];
  const half = brush.words(gap.short, edges, said) / 2;
  const middle = (edges.from + edges.until) / 2;
  brush.dots(edges.from + NARROW, half ? middle - half : edges.until - NARROW, colour);
  if (half) brush.dots(middle + half, edges.until - NARROW, colour);
}

/** A segment of sound; flat while its peaks are not known. */
export function drawSound(brush, segment, drawLoudness) {
  brush.body(segment, brush.own.pale);
  const edges = placed(segment, brush.scale);
  brush.within(() => {
    if (!drawLoudness(segment, { left: edges.from, right: edges.until })) {
      brush.ctx.fillStyle = brush.own.strong;
      brush.ctx.fillRect(edges.from, brush.height / 2 - 1, edges.until - edges.from, 2);
    }
    brush.line(edges.left, brush.own.strong, Math.min(2, edges.wide));
    drawFlaws(brush, segment, edges);
  }, edges.wide);
}

/** A segment of pictures; plain, with its size, while none of them is here. */
export function drawPicture(brush, segment, drawPictures) {
  brush.body(segment, brush.own.pale);
  const edges = placed(segment, brush.scale);
  brush.within(() => {
    const drawn = drawPictures(segment, { left: edges.from, right: edges.until });
    if (!drawn && segment.width) brush.words(`${segment.width}×${segment.height}`, edges, brush.own["on-pale"]);
    brush.line(edges.left, brush.own.strong, Math.min(3, edges.wide));
    drawFlaws(brush, segment, edges);
  }, edges.wide);
}

function drawFlaws(brush, segment, edges) {
  for (const hole of segment.holes) if (inView(hole, brush.scale)) drawHole(brush, placed(hole, brush.scale));
  if (segment.state === "tail_lost") brush.line(edges.right - 4, brush.plain.bad, 4);
  if (segment.troubled && edges.until - edges.from > 3 * BADGE) drawBadge(brush, edges.from + 2 * BADGE, brush.plain[segment.troubled]);
}

/** Something is to be said of this segment. */
function drawBadge(brush, x, colour) {
  const { ctx, height, plain, font } = brush;
  ctx.beginPath();
  ctx.arc(x, height / 2, BADGE, 0, 2 * Math.PI);
  ctx.fillStyle = colour;
  ctx.fill();
  ctx.fillStyle = plain.card;
  ctx.font = `700 ${WORDS_PX}px ${font}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "center";
  ctx.fillText("!", x, height / 2 + 0.5);
}

function drawHole(brush, { from, until }) {
  brush.ctx.fillStyle = brush.plain.card;
  for (let x = from; x < Math.max(until, from + 2); x += 4) brush.ctx.fillRect(x, 0, 2, brush.height);
}

/** A flag that flies into what begins, or back from what ends; hollow where it was only asked for. */
export function drawMark(brush, mark) {
  if (!brush.scale.has(mark.shown)) return;
  const x = brush.scale.x(mark.shown);
  const back = mark.what === "stopped" || mark.what === "stop_requested" || mark.what === "left";
  const colour = brush.plain[back ? "soft" : "ink"];
  const pole = Math.max(0, Math.min(brush.width - THIN, x - THIN / 2));
  brush.line(pole, colour);
  brush.ctx.beginPath();
  brush.ctx.moveTo(pole + THIN / 2, 0);
  brush.ctx.lineTo(pole + THIN / 2 + (back ? -FLAG : FLAG), FLAG / 2);
  brush.ctx.lineTo(pole + THIN / 2, FLAG);
  brush.ctx.fillStyle = mark.what.endsWith("_requested") ? brush.plain.card : colour;
  brush.ctx.fill();
  brush.ctx.strokeStyle = colour;
  brush.ctx.lineWidth = 1;
  brush.ctx.stroke();
}

/** Being in the meeting: a thin line from coming to going. */
export function drawStay(brush, stay) {
  const { from, until } = placed(stay, brush.scale);
  brush.ctx.fillStyle = brush.own.pale;
  brush.ctx.fillRect(from, brush.height / 2 - THIN, until - from, 2 * THIN);
}
