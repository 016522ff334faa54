# SPDX-License-Identifier: BSD-2-Clause
"""Validates JSON against the part of JSON Schema that schemas/ uses.

A keyword that is not understood is an error: a schema that grows must not be checked by half.
"""

import re

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
ANNOTATIONS = {"$schema", "$id", "$defs", "$comment", "title", "description", "examples", "default"}


def is_type(value, name):
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


class Validator:
    def __init__(self, schema):
        self.root = schema

    def errors(self, value, schema=None, at="$"):
        """What is wrong with the value, one line each."""
        schema = self.root if schema is None else schema
        if isinstance(schema, bool):
            if not schema:
                yield f"{at}: not allowed"
            return
        for keyword, wanted in schema.items():
            if keyword in ANNOTATIONS:
                continue
            check = getattr(self, "on_" + keyword.replace("$", ""), None)
            if not check:
                yield f"{at}: the validator does not know the keyword {keyword}"
                continue
            yield from check(value, wanted, schema, at)

    def fits(self, value, schema, at):
        return not any(True for _ in self.errors(value, schema, at))

    def on_ref(self, value, wanted, _schema, at):
        target = self.root
        for part in wanted.removeprefix("#/").split("/"):
            target = target[part]
        yield from self.errors(value, target, at)

    def on_type(self, value, wanted, _schema, at):
        names = [wanted] if isinstance(wanted, str) else wanted
        if not any(is_type(value, name) for name in names):
            yield f"{at}: {value!r:.80} is not of type {wanted}"

    def on_enum(self, value, wanted, _schema, at):
        if value not in wanted:
            yield f"{at}: {value!r:.80} is none of {wanted}"

    def on_const(self, value, wanted, _schema, at):
        if value != wanted:
            yield f"{at}: {value!r:.80} is not {wanted!r}"

    def on_pattern(self, value, wanted, _schema, at):
        if isinstance(value, str) and not re.search(wanted, value):
            yield f"{at}: {value!r:.80} does not match {wanted}"

    def on_minLength(self, value, wanted, _schema, at):
        if isinstance(value, str) and len(value) < wanted:
            yield f"{at}: {value!r} is too short"

    def on_minimum(self, value, wanted, _schema, at):
        if is_type(value, "number") and value < wanted:
            yield f"{at}: {value} is below {wanted}"

    def on_maximum(self, value, wanted, _schema, at):
        if is_type(value, "number") and value > wanted:
            yield f"{at}: {value} is above {wanted}"

    def on_required(self, value, wanted, _schema, at):
        if isinstance(value, dict):
            yield from (f"{at}: {name} is missing" for name in wanted if name not in value)

    def on_properties(self, value, wanted, _schema, at):
        if isinstance(value, dict):
            for name in wanted.keys() & value.keys():
                yield from self.errors(value[name], wanted[name], f"{at}.{name}")

    def on_patternProperties(self, value, wanted, _schema, at):
        if isinstance(value, dict):
            for name, item in value.items():
                for pattern in (p for p in wanted if re.search(p, name)):
                    yield from self.errors(item, wanted[pattern], f"{at}.{name}")

    def on_additionalProperties(self, value, wanted, schema, at):
        if not isinstance(value, dict):
            return
        patterns = schema.get("patternProperties", {})
        for name, item in value.items():
            known = name in schema.get("properties", {})
            if not known and not any(re.search(p, name) for p in patterns):
                yield from self.errors(item, wanted, f"{at}.{name}")

    def on_propertyNames(self, value, wanted, _schema, at):
        if isinstance(value, dict):
            for name in value:
                yield from self.errors(name, wanted, f"{at}.{name} (the name)")

    def on_items(self, value, wanted, _schema, at):
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.errors(item, wanted, f"{at}[{index}]")

    def on_minItems(self, value, wanted, _schema, at):
        if isinstance(value, list) and len(value) < wanted:
            yield f"{at}: fewer than {wanted} items"

    def on_anyOf(self, value, wanted, _schema, at):
        if not any(self.fits(value, schema, at) for schema in wanted):
            yield f"{at}: {value!r:.80} fits none of anyOf"

    def on_oneOf(self, value, wanted, _schema, at):
        count = sum(self.fits(value, schema, at) for schema in wanted)
        if count != 1:
            yield f"{at}: {value!r:.80} fits {count} of oneOf"

    def on_allOf(self, value, wanted, _schema, at):
        for schema in wanted:
            yield from self.errors(value, schema, at)
