/** The mixer's engine on the browser's audio thread. */
import { MixEngine } from "./mixer_engine.js";

/** About every 35 ms the page hears where the sound is. */
const BLOCKS_PER_STATUS = 12;

class StemMixer extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.engine = new MixEngine(processorOptions);
    this.blocks = 0;
    /** Number of the page's last order: what the page hears says whether it knew of it. */
    this.order = 0;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take(message) {
    const { engine } = this;
    this.order = message.order ?? this.order;
    switch (message.type) {
      case "put": engine.chunks.put(message.stem, message.index, message.sound); break;
      case "drop": {
        const buffers = engine.chunks.drop(message.indexes);
        this.port.postMessage({ type: "free", buffers }, buffers);
        break;
      }
      case "play": engine.play(); break;
      case "pause": engine.pause(); break;
      case "seek": engine.seek(message.at); break;
      case "loop": engine.chunks.loop = message.loop; break;
      case "speed": engine.speed = message.speed; break;
      case "gains": engine.gains = message.gains; break;
      default: return;
    }
    // What the page did is answered soon.
    this.blocks = Math.max(this.blocks, BLOCKS_PER_STATUS - 2);
  }

  process(_, [[left, right]]) {
    this.engine.process(left, right ?? new Float32Array(left.length));
    this.blocks += 1;
    if (this.blocks >= BLOCKS_PER_STATUS) {
      this.blocks = 0;
      this.port.postMessage({ type: "status", order: this.order, ...this.engine.status() });
    }
    return true;
  }
}

registerProcessor("stem-mixer", StemMixer);
