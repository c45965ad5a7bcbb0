/**
 * One Web Audio graph for an <audio> element, shared by everything that works on its sound.
 *
 * An element can be taken over by Web Audio only once, so whoever wants to filter it asks here:
 * the equaliser puts itself between `source` and `bus`, listening to one band between `bus` and the
 * loudspeakers.
 */

/** Go to a gain in a straight line, from wherever it is now. */
export function rampTo(gain, value, now, seconds) {
  gain.cancelScheduledValues(now);
  gain.setValueAtTime(gain.value, now);
  gain.linearRampToValueAtTime(value, now + seconds);
}

const graphs = new WeakMap();
const rates = new WeakMap();
/** What every browser with the option can run at. */
const LOWEST_HZ = 44100;
const HIGHEST_HZ = 96000;

/**
 * Say at which sample rate an element's sound should be worked on: that of its file, so that filters
 * are the same as on the server. Counts for a graph that is made later.
 */
export const preferRate = (audio, hertz) => rates.set(audio, hertz);

function contextFor(audio) {
  const sampleRate = rates.get(audio);
  if (sampleRate >= LOWEST_HZ && sampleRate <= HIGHEST_HZ) {
    try {
      return new AudioContext({ sampleRate });
    } catch {
      // This browser cannot: the device's rate will do.
    }
  }
  return new AudioContext();
}

/**
 * Must first be called in answer to a gesture: browsers keep other contexts silent.
 * @param {HTMLAudioElement} audio
 * @returns {{context: AudioContext, source: AudioNode, bus: GainNode, wake: () => void}}
 */
export function graphOf(audio) {
  let graph = graphs.get(audio);
  if (!graph) {
    const context = contextFor(audio);
    const source = new MediaElementAudioSourceNode(context, { mediaElement: audio });
    const bus = new GainNode(context);
    source.connect(bus).connect(context.destination);
    const wake = () => {
      if (context.state !== "running") context.resume();
    };
    audio.addEventListener("play", wake);
    graph = { context, source, bus, wake };
    graphs.set(audio, graph);
  }
  graph.wake();
  return graph;
}
