/** Requests of the labelling page: JSON there and back, and what went wrong as a reason. */
import { csrfToken } from "./csrf.js";

const PATIENCE_MS = 15_000;

/** The server did not answer, or not as asked, and may do so later. */
export class Later extends Error {
  /** @param {"offline" | "login" | "reload" | "busy"} reason */
  constructor(reason, waitS = 0) {
    super(reason);
    this.reason = reason;
    this.waitS = waitS;
  }
}

/** The server answered no, and will not change its mind. */
export class Refused extends Error {
  constructor({ code = "unknown", detail = "It was refused." }) {
    super(detail);
    this.code = code;
  }
}

export const get = (address) => ask(address, {});

export const post = (address, body) =>
  ask(address, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
  });

/** The bytes of a file. */
export async function bytes(address) {
  const response = await reach(address, {});
  return response.arrayBuffer();
}

/** @returns {Promise<any>} the answer's JSON. Throws Later or Refused. */
async function ask(address, options) {
  const response = await reach(address, options);
  try {
    return await response.json();
  } catch {
    throw new Later("offline");
  }
}

async function reach(address, options) {
  let response;
  try {
    response = await fetch(address, {
      ...options,
      redirect: "manual",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new Later("offline");
  }
  if (response.type === "opaqueredirect") throw new Later("login");
  if (response.ok) return response;
  if (response.status === 429) throw new Later("busy", Number(response.headers.get("Retry-After")));
  if (response.status === 403) throw new Later("reload");
  if (response.status >= 500) throw new Later("busy");
  throw new Refused(await response.json().catch(() => ({})));
}
