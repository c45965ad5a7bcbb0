"""What the tests of the stem mixer do inside its page."""

from __future__ import annotations

import base64
from urllib.parse import urljoin

import numpy as np
from playwright.sync_api import Page

from tests.e2e.test_audition import module_url

# Renders a stretch of the track by the page's own decoder, engine and worklet.
RENDER = """async ([folder, worklet, settings, from, count]) => {
  const { FlacDecoder } = await import(`${folder}/mixer_flac.js`);
  const { stemGains, tidied } = await import(`${folder}/mixer_levels.js`);
  const manifest = await (await fetch(document.getElementById("mixer").dataset.manifest)).json();
  const names = manifest.stems.map((stem) => stem.name);
  const context = new OfflineAudioContext(2, count, 44100);
  await context.audioWorklet.addModule(worklet);
  const node = new AudioWorkletNode(context, "stem-mixer", {
    numberOfInputs: 0, outputChannelCount: [2],
    processorOptions: {
      stems: names.length, samples: manifest.n_samples, chunkSamples: manifest.chunk_samples,
    },
  });
  node.connect(context.destination);
  const decoder = new FlacDecoder();
  let wrong = 0;
  for (const [stem, { chunks }] of manifest.stems.entries()) {
    for (const [index, url] of chunks.entries()) {
      const file = await (await fetch(url)).arrayBuffer();
      decoder.begin();
      decoder.add(new Uint8Array(file));
      const sound = decoder.decode(new ArrayBuffer(4 * manifest.chunk_samples));
      const browsers = await context.decodeAudioData(file);
      for (let side = 0; side < 2; side += 1) {
        const channel = browsers.getChannelData(side);
        for (let i = 0; i < channel.length; i += 1) {
          // Chromium has 32767 steps up and 32768 down.
          const steps = Math.round(channel[i] * (channel[i] > 0 ? 32767 : 32768));
          wrong += Number(steps !== sound[2 * i + side]);
        }
      }
      node.port.postMessage({ type: "put", stem, index, sound });
    }
  }
  const known = stemGains(tidied(settings, names), names, manifest.lowered_db);
  node.port.postMessage({ type: "gains", gains: known });
  node.port.postMessage({ type: "seek", at: from });
  node.port.postMessage({ type: "play" });
  // Answered in turn: then everything before it has arrived.
  await new Promise((done) => {
    node.port.onmessage = ({ data }) => data.type === "free" && done();
    node.port.postMessage({ type: "drop", indexes: [] });
  });
  const out = await context.startRendering();
  const text = [0, 1].map((side) => {
    const bytes = new Uint8Array(out.getChannelData(side).buffer);
    let part = "";
    for (let i = 0; i < bytes.length; i += 8192) {
      part += String.fromCharCode(...bytes.subarray(i, i + 8192));
    }
    return part;
  }).join("");
  return { sound: btoa(text), wrong };
}"""

# A sine of 440 Hz through the engine at a speed, until it ends.
STRETCH = """async ([folder, speed, seconds]) => {
  const { MixEngine } = await import(`${folder}/mixer_engine.js`);
  const samples = 44100 * seconds;
  const engine = new MixEngine({ stems: 2, samples, chunkSamples: samples });
  for (const [stem, level] of [[0, 16000], [1, 4000]]) {
    const sound = Int16Array.from({ length: 2 * samples }, (_, i) =>
      Math.round(level * Math.sin((2 * Math.PI * 440 * (i >> 1)) / 44100)));
    engine.chunks.put(stem, 0, sound);
  }
  engine.speed = speed;
  engine.play();
  const heard = [];
  const [left, right] = [new Float32Array(128), new Float32Array(128)];
  while (engine.playing) {
    engine.process(left, right);
    heard.push(...left);
  }
  return heard;
}"""


def folder_of(page: Page) -> str:
    return module_url(page, "mixer_levels").rsplit("/", 1)[0]


def desk(page: Page, expression: str) -> object:
    """What an expression of the page's mixer, called ``desk``, gives."""
    code = f"async (url) => {{ const desk = (await import(url)).desk(); return {expression}; }}"
    return page.evaluate(code, module_url(page, "mixer"))


def manifest_of(page: Page) -> dict:
    address = page.locator("#mixer").get_attribute("data-manifest")
    return page.request.get(urljoin(page.url, address)).json()


def rendered(page: Page, settings: dict, *, start: int = 0, count: int) -> np.ndarray:
    """The mix, shape (count, 2); the decoder is compared with the browser's own on the way."""
    worklet = urljoin(page.url, page.locator("#mixer").get_attribute("data-worklet"))
    found = page.evaluate(RENDER, [folder_of(page), worklet, settings, start, count])
    assert found["wrong"] == 0, "not what the browser's own decoder finds"
    return np.frombuffer(base64.b64decode(found["sound"]), dtype=np.float32).reshape(2, -1).T
