/** @returns {string} the token against forged requests. The cookie's is the newest: another tab may
 * have logged in again meanwhile. */
export function csrfToken() {
  const cookie = /(?:^|;\s*)csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  return cookie ?? document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
}
