/**
 * Decodes FLAC of 16 bit (RFC 9639) straight into samples of both channels in turn.
 *
 * The browser's own decoder gives floats of its own making, which it keeps for a long time: half a
 * gigabyte for four stems of five minutes. This one writes 16 bit into a buffer that is used again.
 */

const SYNC = 0x3ffe;
const PADDING_BYTES = 8;
const BLOCK_SIZES = { 1: 192, 2: 576, 3: 1152, 4: 2304, 5: 4608 };
const FIXED = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]];
const LEFT_SIDE = 8;
const SIDE_RIGHT = 9;
const MID_SIDE = 10;

/** Something in the file that is not as it should be; nothing of it is played. */
export class BadFlac extends Error {}

export class FlacDecoder {
  #bytes = new Uint8Array(PADDING_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;
  /** Place in the file, in bits. */
  #at = 0;
  #channels = [new Int32Array(0), new Int32Array(0)];
  #coefficients = new Int32Array(32);

  /** Begin a new file. */
  begin() {
    this.#end = 0;
  }

  /** Take the next bytes of the file; they are copied. */
  add(part) {
    const needed = this.#end + part.length + PADDING_BYTES;
    if (this.#bytes.length < needed) {
      const old = this.#bytes.subarray(0, this.#end);
      this.#bytes = new Uint8Array(Math.ceil(1.5 * needed));
      this.#bytes.set(old);
      this.#view = new DataView(this.#bytes.buffer);
    }
    this.#bytes.set(part, this.#end);
    this.#end += part.length;
  }

  /**
   * Decode what was taken.
   * @param {ArrayBuffer} buffer room for the samples: four bytes for each
   * @returns {Int16Array} left and right in turn (a mono file on both), on `buffer`
   * @throws {BadFlac}
   */
  decode(buffer) {
    // Reading goes in words that may reach over the end.
    this.#bytes.fill(0, this.#end, this.#end + PADDING_BYTES);
    this.#at = 0;
    const { channels, samples } = this.#header();
    if (4 * samples > buffer.byteLength) throw new BadFlac(`${samples} samples are too many`);
    const sound = new Int16Array(buffer, 0, 2 * samples);
    for (let done = 0; done < samples;) done += this.#frame(channels, sound, done);
    return sound;
  }

  /** @param {number} count of bits, up to 25 */
  #bits(count) {
    if (count === 0) return 0;
    const at = this.#at;
    this.#at = at + count;
    return (this.#view.getUint32(at >>> 3) << (at & 7)) >>> (32 - count);
  }

  #signed(count) {
    const free = 32 - count;
    return (this.#bits(count) << free) >> free;
  }

  /** Zeros before the next one. */
  #unary() {
    let count = 0;
    for (;;) {
      const at = this.#at;
      const word = this.#view.getUint32(at >>> 3) << (at & 7);
      if (word !== 0) {
        const zeros = Math.clz32(word);
        this.#at = at + zeros + 1;
        return count + zeros;
      }
      const there = 32 - (at & 7);
      count += there;
      this.#at = at + there;
      if (this.#at > 8 * this.#end) throw new BadFlac("the file ends too early");
    }
  }

  #header() {
    if (this.#end < 42) throw new BadFlac("the file ends too early");
    if (this.#bits(16) !== 0x664c || this.#bits(16) !== 0x6143) throw new BadFlac("this is no FLAC");
    let found = null;
    for (let last = false; !last;) {
      last = this.#bits(1) === 1;
      const [type, length] = [this.#bits(7), this.#bits(24)];
      const next = this.#at + 8 * length;
      if (next > 8 * this.#end) throw new BadFlac("the file ends too early");
      if (type === 0) {
        // Block and frame sizes, then the sample rate.
        this.#at += 80 + 20;
        const [channels, depth] = [this.#bits(3) + 1, this.#bits(5) + 1];
        const samples = this.#bits(12) * 2 ** 24 + this.#bits(24);
        if (depth !== 16 || channels > 2) throw new BadFlac(`${channels} channels of ${depth} bit`);
        found = { channels, samples };
      }
      this.#at = next;
    }
    if (!found) throw new BadFlac("the file does not say what it holds");
    return found;
  }

  /** Decode a frame into `sound`; returns how many samples it has. */
  #frame(channels, sound, done) {
    if (this.#at + 32 > 8 * this.#end) throw new BadFlac("the file ends too early");
    if (this.#bits(14) !== SYNC) throw new BadFlac("a frame is not where it should be");
    this.#at += 2;
    const [sizeCode, rateCode, assignment] = [this.#bits(4), this.#bits(4), this.#bits(4)];
    this.#at += 4;
    this.#skipNumber();
    const size = this.#blockSize(sizeCode);
    if (rateCode >= 12 && rateCode < 15) this.#at += rateCode === 12 ? 8 : 16;
    this.#at += 8;
    const isPair = assignment >= LEFT_SIDE && assignment <= MID_SIDE;
    if ((isPair ? 2 : assignment + 1) !== channels || 2 * (done + size) > sound.length) {
      throw new BadFlac("a frame holds something else than the file says");
    }
    for (let channel = 0; channel < channels; channel += 1) {
      const isSide = assignment === SIDE_RIGHT ? channel === 0 : isPair && channel === 1;
      this.#subframe(this.#room(channel, size), size, isSide ? 17 : 16);
    }
    // Up to the next whole byte, and over the checksum.
    this.#at = 8 * (((this.#at + 7) >>> 3) + 2);
    if (this.#at > 8 * this.#end) throw new BadFlac("the file ends too early");
    this.#write(sound, done, size, channels, assignment);
    return size;
  }

  /** The frame's number, written as UTF-8 writes characters. */
  #skipNumber() {
    const first = this.#bits(8);
    for (let mask = 0x80; first & mask && mask > 1; mask >>= 1) if (mask !== 0x80) this.#at += 8;
  }

  #blockSize(code) {
    if (code === 6) return this.#bits(8) + 1;
    if (code === 7) return this.#bits(16) + 1;
    const size = code >= 8 ? 256 << (code - 8) : BLOCK_SIZES[code];
    if (!size) throw new BadFlac("a frame of no size");
    return size;
  }

  #room(channel, size) {
    if (this.#channels[channel].length < size) this.#channels[channel] = new Int32Array(size);
    return this.#channels[channel];
  }

  #subframe(out, size, depth) {
    this.#at += 1;
    const type = this.#bits(6);
    const wasted = this.#bits(1) ? this.#unary() + 1 : 0;
    const bits = depth - wasted;
    if (bits < 1) throw new BadFlac("a channel of no depth");
    if (type === 0) out.fill(this.#signed(bits), 0, size);
    else if (type === 1) for (let i = 0; i < size; i += 1) out[i] = this.#signed(bits);
    else if (type >= 8 && type <= 12) this.#fixed(out, size, bits, type - 8);
    else if (type >= 32) this.#linear(out, size, bits, type - 31);
    else throw new BadFlac("a channel of an unknown kind");
    if (wasted) for (let i = 0; i < size; i += 1) out[i] <<= wasted;
  }

  #fixed(out, size, bits, order) {
    this.#coefficients.set(FIXED[order]);
    for (let i = 0; i < order; i += 1) out[i] = this.#signed(bits);
    this.#residual(out, size, order);
    this.#predict(out, size, order, 0, true);
  }

  #linear(out, size, bits, order) {
    for (let i = 0; i < order; i += 1) out[i] = this.#signed(bits);
    const precision = this.#bits(4) + 1;
    const shift = this.#signed(5);
    if (precision === 16 || shift < 0) throw new BadFlac("a predictor of no sense");
    for (let i = 0; i < order; i += 1) this.#coefficients[i] = this.#signed(precision);
    this.#residual(out, size, order);
    this.#predict(out, size, order, shift, bits + precision + Math.ceil(Math.log2(order)) <= 32);
  }

  /** Rice-coded differences, put where the samples will be. */
  #residual(out, size, order) {
    const method = this.#bits(2);
    if (method > 1) throw new BadFlac("differences of an unknown kind");
    const width = method === 0 ? 4 : 5;
    const partitions = 1 << this.#bits(4);
    const each = size / partitions;
    if (!Number.isInteger(each) || each < order) throw new BadFlac("differences of no sense");
    let i = order;
    for (let partition = 1; partition <= partitions; partition += 1) {
      const parameter = this.#bits(width);
      const end = partition * each;
      if (parameter === (1 << width) - 1) {
        const bits = this.#bits(5);
        for (; i < end; i += 1) out[i] = bits ? this.#signed(bits) : 0;
      } else if (parameter > 25) throw new BadFlac("differences of no sense");
      else this.#rice(out, i, end, parameter);
      i = end;
    }
  }

  /** The hot loop: what #unary and #bits do, on locals. */
  #rice(out, from, end, parameter) {
    const view = this.#view;
    let at = this.#at;
    for (let i = from; i < end; i += 1) {
      const word = view.getUint32(at >>> 3) << (at & 7);
      let folded = 0;
      if (word !== 0) {
        folded = Math.clz32(word);
        at += folded + 1;
      } else {
        this.#at = at;
        folded = this.#unary();
        at = this.#at;
      }
      if (parameter) {
        folded = (folded << parameter) | ((view.getUint32(at >>> 3) << (at & 7)) >>> (32 - parameter));
        at += parameter;
      }
      out[i] = (folded >>> 1) ^ -(folded & 1);
    }
    this.#at = at;
  }

  #predict(out, size, order, shift, fitsWord) {
    const coefficients = this.#coefficients;
    const scale = 2 ** shift;
    for (let i = order; i < size; i += 1) {
      let sum = 0;
      if (fitsWord) {
        for (let k = 0; k < order; k += 1) sum = (sum + Math.imul(coefficients[k], out[i - 1 - k])) | 0;
        out[i] += sum >> shift;
      } else {
        for (let k = 0; k < order; k += 1) sum += coefficients[k] * out[i - 1 - k];
        out[i] += Math.floor(sum / scale);
      }
    }
  }

  #write(sound, done, size, channels, assignment) {
    const [one, other] = this.#channels;
    for (let i = 0, k = 2 * done; i < size; i += 1, k += 2) {
      let left = one[i];
      let right = channels === 2 ? other[i] : left;
      if (assignment === LEFT_SIDE) right = left - right;
      else if (assignment === SIDE_RIGHT) left += right;
      else if (assignment === MID_SIDE) {
        const sum = (left << 1) | (right & 1);
        [left, right] = [(sum + right) >> 1, (sum - right) >> 1];
      }
      sound[k] = left;
      sound[k + 1] = right;
    }
  }
}
