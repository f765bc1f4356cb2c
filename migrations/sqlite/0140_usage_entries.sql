-- Usage said of one line in one statement, and which lines there are to say it of.

CREATE TABLE usage_entries (
    tenant     TEXT    NOT NULL,
    usage      TEXT    NOT NULL,
    withdrawn  INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    entry      TEXT    NOT NULL, -- JSON
    position   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT    NOT NULL,
    PRIMARY KEY (tenant, usage)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_entries_by_position ON usage_entries (tenant, position);

CREATE TABLE metered_items (
    tenant       TEXT    NOT NULL,
    line         TEXT    NOT NULL,
    subscription TEXT    NOT NULL,
    position     INTEGER NOT NULL, -- of the event that last began to meter it
    PRIMARY KEY (tenant, line, subscription)
) STRICT, WITHOUT ROWID;
