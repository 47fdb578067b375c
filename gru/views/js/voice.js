// @ts-check
/** Speech from LPC cepstra: the filter's envelope, its response, and a pulse train through it. No DOM. See vowel_player.py. */

export const RATE = 10000; // samples per second
export const HOP = 64; // samples from one step to the next
const TAPS = 256; // of the filter

/**
 * 20 log10 |H| at a frequency, in decibels.
 * @param {ArrayLike<number>} c  cepstrum
 * @param {number} frequency  in hertz
 */
export function decibels(c, frequency) {
  const omega = (2 * Math.PI * frequency) / RATE;
  let sum = 0;
  for (let n = 0; n < c.length; n += 1) sum += c[n] * Math.cos((n + 1) * omega);
  return (20 / Math.LN10) * sum;
}

/** Frequencies of the envelope's maxima, in hertz. @param {ArrayLike<number>} c */
export function peaks(c) {
  const levels = Array.from({ length: RATE / 20 + 1 }, (_, i) => decibels(c, 10 * i));
  return levels.flatMap((here, i) => (here > levels[i - 1] && here >= levels[i + 1] ? [10 * i] : []));
}

/** The filter's answer to one pulse, of minimum phase. @param {ArrayLike<number>} c @returns {Float64Array} */
export function response(c) {
  const h = new Float64Array(TAPS);
  const slope = Float64Array.from(c, (value, n) => (n + 1) * value);
  h[0] = 1;
  for (let m = 1; m < TAPS; m += 1) {
    let sum = 0;
    const most = Math.min(m, slope.length);
    for (let n = 0; n < most; n += 1) sum += slope[n] * h[m - 1 - n];
    h[m] = sum / m;
  }
  return h;
}

/**
 * A voice: pulses of equal energy through the filter, whose cepstrum moves from step to step.
 * @param {ArrayLike<number>[]} frames  a cepstrum per step
 * @param {number} slower  times slower than it was spoken
 * @param {number} pitch  in hertz
 * @returns {Float64Array}  between -1 and 1
 */
export function voice(frames, slower, pitch) {
  const frame = HOP * slower;
  const length = frames.length * frame;
  const samples = new Float64Array(length + TAPS);
  const last = frames.length - 1;
  for (let k = 0; (k * RATE) / pitch < length; k += 1) {
    const at = Math.floor((k * RATE) / pitch);
    const place = Math.min(Math.max(at / frame - 0.5, 0), last); // a frame's numbers hold in its middle
    const low = Math.min(Math.floor(place), Math.max(last - 1, 0));
    const share = place - low;
    const next = frames[Math.min(low + 1, last)];
    const pulse = response(Array.from(frames[low], (value, n) => (1 - share) * value + share * next[n]));
    const size = Math.sqrt(pulse.reduce((sum, value) => sum + value * value, 0));
    for (let i = 0; i < TAPS; i += 1) samples[at + i] += pulse[i] / size;
  }
  const sound = samples.subarray(0, length);
  const loudest = sound.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return sound.map((value) => (0.8 * value) / loudest);
}

/** Samples as the address of a WAV file, 16 bits each, that any audio element plays. @param {Float64Array} samples */
export function wav(samples) {
  const bytes = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (/** @type {number} */ at, /** @type {string} */ word) => {
    for (let i = 0; i < word.length; i += 1) bytes.setUint8(at + i, word.charCodeAt(i));
  };
  text(0, "RIFF");
  bytes.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  bytes.setUint32(16, 16, true); // bytes of this block
  bytes.setUint16(20, 1, true); // plain numbers
  bytes.setUint16(22, 1, true); // one channel
  bytes.setUint32(24, RATE, true);
  bytes.setUint32(28, 2 * RATE, true); // bytes per second
  bytes.setUint16(32, 2, true); // bytes per sample
  bytes.setUint16(34, 16, true); // bits
  text(36, "data");
  bytes.setUint32(40, 2 * samples.length, true);
  for (let i = 0; i < samples.length; i += 1) bytes.setInt16(44 + 2 * i, Math.round(32767 * samples[i]), true);
  let binary = "";
  for (let i = 0; i < bytes.byteLength; i += 1) binary += String.fromCharCode(bytes.getUint8(i));
  return `data:audio/wav;base64,${btoa(binary)}`;
}
