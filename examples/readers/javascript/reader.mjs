// Print a person's list: node reader.mjs redis://127.0.0.1:6379/0 USER
import { createClient } from "redis";

const quote = (user) => user.replaceAll("%", "%25").replaceAll("{", "%7B").replaceAll("}", "%7D");

/** The person's items, best first; the trending ones if the person is unknown. */
export async function readList(store, user) {
  const found = (await store.get(`ms:{${quote(user)}}:list`)) ?? (await store.get("ms:trending"));
  const items = found ? JSON.parse(found).items : [];
  if (items.length === 0) return [];
  const hidden = await store.smIsMember("ms:hidden", items.map((entry) => entry.item));
  return items.filter((_, i) => !hidden[i]);
}

const [url, user] = process.argv.slice(2);
const store = await createClient({ url }).connect();
for (const entry of await readList(store, user)) console.log(entry.item);
await store.close();
