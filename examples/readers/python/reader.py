"""Print a person's list.

python reader.py redis://127.0.0.1:6379/0 USER
"""

import json
import sys

import redis


def read_list(store: redis.Redis, user: str) -> list[dict]:
    """Return the person's items, best first; the trending ones if the person is unknown."""
    quoted = user.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
    found = store.get(f"ms:{{{quoted}}}:list") or store.get("ms:trending")
    items = json.loads(found)["items"] if found else []
    if not items:
        return []
    hidden = store.smismember("ms:hidden", [entry["item"] for entry in items])
    return [entry for entry, gone in zip(items, hidden, strict=True) if not gone]


if __name__ == "__main__":
    url, user = sys.argv[1:]
    for entry in read_list(redis.Redis.from_url(url), user):
        print(entry["item"])
