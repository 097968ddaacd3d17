"""Microsoft Graph: the users of a tenant, and its delta query as Microsoft documents it (INC-33).

A link says after which change to go on. A user is shown once for his last change, as he is when the page is made: who
changes again while a round goes on comes a second time.
"""

from random import Random
from threading import Lock
from typing import Any
from uuid import UUID

from local.sandbox.generator import Shape, employees_of

User = dict[str, Any]


class LinkUnknown(Exception):
    """The tenant knows the link no more, or never did."""


class Graph:
    """The tenant's users, and in which order they changed."""

    def __init__(self, shape: Shape, page_size: int = 50) -> None:
        """Make a user of each employee of the shape."""
        self.page_size = page_size
        self._lock = Lock()
        self._users: dict[str, User] = {}
        self._removed: dict[str, str] = {}
        self._changed: dict[str, int] = {}
        self._number = 0
        self._generation = 0
        for number, person in enumerate(employees_of(shape), 1):
            self._touch(self._add(_user(Random(f"{shape.seed}|graph|{number}"), number, person)))

    def page(self, query: dict[str, str], address: str) -> dict[str, Any]:
        """Return a page of `/users/delta`; links begin with an address. LinkUnknown."""
        with self._lock:
            began, after = self._position(query)
            found = sorted((at, key) for key, at in self._changed.items() if at > after)
            # Who was deleted before everybody was asked for is not told of.
            found = [(at, key) for at, key in found if at > began or key not in self._removed]
            shown, more = found[: self.page_size], len(found) > self.page_size
            if more:
                link = f"{address}?$skiptoken={self._generation}.{began}.{shown[-1][0]}"
            else:
                link = f"{address}?$deltatoken={self._generation}.0.{self._number}"
            users = [self._entry(key) for _, key in shown]
            return {"value": users, "@odata.nextLink" if more else "@odata.deltaLink": link}

    def change(self, changes: list[dict[str, Any]]) -> list[str]:
        """Change users: `{add}`, `{id, set}`, `{id, delete: "changed" | "deleted"}`, `{id, restore: true}`; return IDs.

        `changed`: deleted, can be restored; `deleted`: for good.
        """
        done = []
        with self._lock:
            for one in changes:
                object_id = self._add(one["add"]) if "add" in one else str(one["id"])
                if one.get("delete"):
                    self._removed[object_id] = one["delete"]
                elif one.get("restore") and self._removed.get(object_id) == "changed":
                    del self._removed[object_id]
                self._users[object_id] |= one.get("set", {})
                self._touch(object_id)
                done.append(object_id)
        return done

    def forget_links(self) -> None:
        """Know no link any more that was given before."""
        with self._lock:
            self._generation += 1

    def users(self) -> list[User]:
        """Return the users that are not deleted."""
        return [user for user in self.everybody() if not self.removal(user["id"])]

    def everybody(self) -> list[User]:
        """Return all users, deleted or not."""
        with self._lock:
            return [dict(user) for user in self._users.values()]

    def removal(self, object_id: str) -> str:
        """Return how a user was deleted, "" when he was not."""
        return self._removed.get(object_id, "")

    def _position(self, query: dict[str, str]) -> tuple[int, int]:
        """Return when everybody was asked for (0: only changes were), and the change to go on after."""
        token = query.get("$skiptoken") or query.get("$deltatoken")
        if token is None:
            return self._number, 0
        try:
            generation, began, after = map(int, token.split("."))
        except ValueError:
            raise LinkUnknown from None
        if generation != self._generation:
            raise LinkUnknown
        return began, after

    def _add(self, user: User) -> str:
        object_id = user.get("id") or str(UUID(int=Random(len(self._users)).getrandbits(128), version=4))
        self._users[object_id] = {"accountEnabled": True, **user, "id": object_id}
        return str(object_id)

    def _touch(self, object_id: str) -> None:
        self._number += 1
        self._changed[object_id] = self._number

    def _entry(self, object_id: str) -> User:
        reason = self._removed.get(object_id)
        return {"id": object_id, "@removed": {"reason": reason}} if reason else dict(self._users[object_id])


def _user(draw: Random, number: int, person: dict[str, str]) -> User:
    address = f"employee{number:05d}@retail.example"
    return {
        "id": str(UUID(int=draw.getrandbits(128), version=4)),
        "accountEnabled": True,
        "userPrincipalName": address,
        "displayName": f"{person['firstName']} {person['lastName']}",
        "givenName": person["firstName"],
        "surname": person["lastName"],
        "mail": address,
        "jobTitle": "Store Manager" if number % 20 == 0 else "Sales Associate",
        "department": person["storeId"],
        "employeeId": person["employeeId"],
        "preferredLanguage": "de-DE",
    }
