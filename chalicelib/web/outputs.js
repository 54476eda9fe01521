/** Fetching what was made, by its key. */

const REFUSED = 403;

/**
 * An artifact's answer. An address may have been refused because it expired: then a new one is asked for, once.
 * @param {import("./addresses.js").Addresses} addresses
 * @param {string} key
 * @returns {Promise<Response>} rejected when there is none to be had
 */
export async function fetched(addresses, key) {
  const answer = await at(addresses, key);
  if (answer.status !== REFUSED) return whole(answer, key);
  addresses.forget(key);
  return whole(await at(addresses, key), key);
}

const at = async (addresses, key) => fetch(await addresses.of(key));

function whole(answer, key) {
  if (!answer.ok) throw new Error(`${key}: ${answer.status}`);
  return answer;
}
