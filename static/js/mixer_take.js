/** What is taken away: the mix as it is heard, rendered on the server, and the presets' formats. */

const wrong = "The mix could not be rendered just now. Try again in a moment.";

export class Take {
  /** @param {{manifest: object, settings: object, mixes: import("./mixer_mixes.js").Mixes}} desk */
  constructor(desk, root) {
    this.desk = desk;
    const part = (name) => root.querySelector(`[data-${name}]`);
    Object.assign(this, { format: part("format"), button: part("render"), line: part("render-message") });
    this.button.disabled = false;
    this.button.addEventListener("click", () => this.#render());
    const presets = [...root.querySelectorAll("[data-one-click]")];
    this.format.addEventListener("change", () => {
      for (const anchor of presets) anchor.href = this.#with(anchor.href, {});
    });
  }

  #with(address, more) {
    const url = new URL(address, document.baseURI);
    for (const [name, value] of Object.entries({ ...more, format: this.format.value })) {
      url.searchParams.set(name, value);
    }
    return url.href;
  }

  /** First what it will be, said plainly; then the file. */
  async #render() {
    const { manifest, settings, mixes } = this.desk;
    // A saved mix gives the file its name.
    const wish = mixes.heard ? { mix: mixes.heard.id } : { settings: JSON.stringify(settings) };
    this.button.disabled = true;
    this.line.textContent = "Measuring and mixing …";
    try {
      const answer = await fetch(this.#with(manifest.render_plan_url, wish));
      const plan = await answer.json();
      if (!answer.ok) throw new Error(plan.detail);
      this.line.textContent = this.#story(plan);
      window.location.assign(this.#with(manifest.render_url, wish));
    } catch (error) {
      const hasStory = !(error instanceof TypeError || error instanceof SyntaxError) && error.message;
      this.line.textContent = hasStory ? error.message : wrong;
    }
    this.button.disabled = false;
  }

  #story(plan) {
    if (plan.is_silent) return "Every stem is silent in this mix, and so is the file.";
    if (plan.lowered_db <= -0.05) {
      return `Saved ${(-plan.lowered_db).toFixed(1)} dB softer than you hear it, so that its true peak stays `
        + `at ${String(plan.ceiling_dbtp).replace("-", "−")} dBTP.`;
    }
    return "Saved as loud as you hear it.";
  }
}
