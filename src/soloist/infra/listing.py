"""A paged list as one statement: the page, the exact total and the key to go on from, JSON made by PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from soloist.infra.db import Tx
from soloist.infra.paging import Cursors, Window
from soloist.infra.statement import statement


@dataclass(frozen=True, slots=True)
class Key:
    """What a list is sorted by: an SQL expression that is never null, and its type."""

    expression: str
    type: str


class Way(Enum):
    """How the rows of a page are found."""

    ROWS = auto()  # along the index of the sort order, reading whole rows
    KEYS = auto()  # the same in the index alone, which holds what the conditions ask; then the rows of the page
    MATCHES = auto()  # all matches once, for the page and the total: for an index that finds but does not sort


@dataclass(slots=True)
class Listing:
    """A question to one table: `source` is `table alias`, `where` its conditions, `args` their values from $2 on.

    KEYS and MATCHES need a table whose key is (account_id, id), no subselect.
    """

    plural: str
    source: str
    columns: str
    key: Key
    descending: bool
    where: list[str]
    args: list[object] = field(default_factory=list)
    way: Way = Way.ROWS
    total: str | None = None  # an expression that knows the total without counting
    facets: str | None = None  # an expression for further JSON beside the list, from `matches` with `kept`
    kept: tuple[str, ...] = ()  # columns that facets need

    def arg(self, value: object) -> str:
        """Add a value; answers its placeholder."""
        self.args.append(value)
        return f"${len(self.args) + 1}"

    async def page(self, tx: Tx, cursors: Cursors, window: Window) -> str:
        """The JSON of `{<plural>, total, page, limit, nextCursor}` (and `facets`)."""
        row = await tx.row(statement(self._sql(window)), *self.args)
        assert row is not None
        more = row["got"] > window.limit
        next_cursor = f'"{cursors.next(window, row["last_key"], row["last_id"])}"' if more else "null"
        parts = [
            f'"{self.plural}":{row["items"]}',
            f'"total":{row["total"]}',
            f'"page":{window.page}',
            f'"limit":{window.limit}',
            f'"nextCursor":{next_cursor}',
        ]
        if self.facets is not None:
            parts.append(f'"facets":{row["facets"]}')
        return "{" + ",".join(parts) + "}"

    def _sql(self, window: Window) -> str:
        facets = f", {self.facets} as facets" if self.facets is not None else ""
        limit = self.arg(window.limit)
        match self.way:
            case Way.ROWS:
                start, rows = "", self._along_rows(window, limit)
            case Way.KEYS:
                start, rows = "", self._by_keys(self._along_keys(window, limit))
            case Way.MATCHES:
                start, rows = self._matches(), self._by_keys(self._of_matches(window, limit))
        return f"""
            {start}
            select coalesce(array_to_json((array_agg(p.item))[1:{limit}])::text, '[]') as items,
                count(*) as got,
                (array_agg(p.key))[{limit}] as last_key,
                (array_agg(p.id))[{limit}] as last_id,
                {self._total()} as total{facets}
            from ({rows}) as p
        """

    def _total(self) -> str:
        if self.total is not None:
            return self.total
        if self.way is Way.MATCHES:
            return "(select count(*) from matches)"
        return f"(select count(*) from {self.source} where {self._conditions})"

    def _along_rows(self, window: Window, limit: str) -> str:
        key, record_id = self.key.expression, f"{self._alias}.id"
        return f"""
            select row_to_json(r) as item, ({key})::text as key, {record_id}
            from (
                select * from {self.source}
                where {self._conditions}{self._after(window, key, record_id)}
                {self._slice(window, limit, key, record_id)}
            ) as {self._alias}
            cross join lateral (select {self.columns}) as r
        """

    def _along_keys(self, window: Window, limit: str) -> str:
        key, record_id = self.key.expression, f"{self._alias}.id"
        return f"""
            select {key} as key, {record_id} from {self.source}
            where {self._conditions}{self._after(window, key, record_id)}
            {self._slice(window, limit, key, record_id)}
        """

    def _matches(self) -> str:
        kept = "".join(f", {self._alias}.{name}" for name in self.kept)
        return f"""
            with matches as materialized (
                select {self.key.expression} as key, {self._alias}.id{kept}
                from {self.source} where {self._conditions}
            )
        """

    def _of_matches(self, window: Window, limit: str) -> str:
        return f"""
            select m.key, m.id from matches m where true{self._after(window, "m.key", "m.id")}
            {self._slice(window, limit, "m.key", "m.id")}
        """

    def _by_keys(self, found: str) -> str:
        # `offset 0`: each row by its key. What a page may hold is not known to the planner, which else reads the
        # whole table at once.
        alias, way = self._alias, self._direction
        return f"""
            select row_to_json(r) as item, f.key::text as key, f.id
            from ({found}) as f
            cross join lateral (
                select * from {self.source} where {alias}.account_id = $1 and {alias}.id = f.id offset 0
            ) as {alias}
            cross join lateral (select {self.columns}) as r
            order by f.key {way}, f.id {way}
        """

    @property
    def _alias(self) -> str:
        return self.source.split()[-1]

    @property
    def _conditions(self) -> str:
        return " and ".join(self.where)

    @property
    def _direction(self) -> str:
        return "desc" if self.descending else "asc"

    def _slice(self, window: Window, limit: str, key: str, record_id: str) -> str:
        way, offset = self._direction, self.arg(window.offset)
        return f"order by {key} {way}, {record_id} {way} limit {limit} + 1 offset {offset}"

    def _after(self, window: Window, key: str, record_id: str) -> str:
        if window.after is None:
            return ""
        last_key, last_id = window.after
        sign = "<" if self.descending else ">"
        last = f"{self.arg(str(last_key))}::text::{self.key.type}, {self.arg(last_id)}"
        return f" and ({key}, {record_id}) {sign} ({last})"


def json_list(texts: Sequence[str]) -> str:
    """A JSON array of JSON texts, put together without reading them."""
    return "[" + ",".join(texts) + "]"
