// Whose key it is, by its text as it was found somewhere, or by its id.

import {ask} from "./adminapi.js";

export const unknownKeyText = "No such key is known here. Was all of it pasted?";

/// Keys and their ids are told from users' ids by how they begin.
export const isKey = (text) => /^(key_|sk_|pk_)/.test(text);

/// What the API says of a key. The text is a secret: it is in the body, and in no address.
export async function findOwner(text) {
  try {
    return await ask("/admin/v1/keys/owner", "POST", {key: text});
  } catch (error) {
    if (error.code !== "key-not-found") throw error;
    throw new Error(text.startsWith("key_") ? "No key of this id is known here. Check the id; capitals matter."
      : unknownKeyText, {cause: error});
  }
}
