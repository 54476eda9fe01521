/** Hears beeps, sample by sample, on as many inputs as it has: when one began, and which pitch it had. */

const LOUD = 0.05;
const QUIET_S = 0.2;
const PITCH_HZ = 600;
// A beep lasts longer; its pitch is known from how often it passes zero in so much of it.
const LISTEN_S = 0.04;

class Ears extends AudioWorkletProcessor {
  #inputs = [];

  process(inputs) {
    inputs.forEach((channels, input) => {
      const ear = (this.#inputs[input] ??= { lastLoud: -1, since: null, crossings: 0, sign: 0 });
      channels[0]?.forEach((level, n) => this.#hear(ear, input, level, currentFrame + n));
    });
    return true;
  }

  #hear(ear, input, level, at) {
    if (ear.since !== null) {
      if (level * ear.sign < 0) { ear.crossings += 1; ear.sign = level; }
      if (at - ear.since === Math.round(LISTEN_S * sampleRate)) {
        const pitch = Math.round(ear.crossings / (2 * PITCH_HZ * LISTEN_S));
        this.port.postMessage([input, ear.since / sampleRate, pitch]);
        ear.since = null;
      }
    }
    if (Math.abs(level) < LOUD) return;
    if (at - ear.lastLoud > QUIET_S * sampleRate) Object.assign(ear, { since: at, crossings: 0, sign: level });
    ear.lastLoud = at;
  }
}

registerProcessor("ears", Ears);
