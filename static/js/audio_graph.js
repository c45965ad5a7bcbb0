/**
 * One Web Audio graph for an <audio> element, shared by everything that works on its sound.
 *
 * An element can be taken over by Web Audio only once, so whoever wants to filter it asks here:
 * the equaliser puts itself between `source` and `bus`, listening to one band between `bus` and the
 * loudspeakers.
 */

const graphs = new WeakMap();

/**
 * Must first be called in answer to a gesture: browsers keep other contexts silent.
 * @param {HTMLAudioElement} audio
 * @returns {{context: AudioContext, source: AudioNode, bus: GainNode, wake: () => void}}
 */
export function graphOf(audio) {
  let graph = graphs.get(audio);
  if (!graph) {
    const context = new AudioContext();
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
