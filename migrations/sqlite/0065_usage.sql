-- What is billed by usage, and usage that nothing bills.

CREATE TABLE metered_lines (
    tenant       TEXT NOT NULL,
    subscription TEXT NOT NULL,
    metric       TEXT NOT NULL,
    position     INTEGER NOT NULL, -- of the event that last began to meter it
    PRIMARY KEY (tenant, subscription, metric)
) STRICT, WITHOUT ROWID;

CREATE TABLE unmatched_usage (
    tenant      TEXT    NOT NULL,
    position    INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    records     TEXT    NOT NULL, -- JSON
    PRIMARY KEY (tenant, position)
) STRICT, WITHOUT ROWID;
