-- What is to be told to customers of orders, and what became of it.

CREATE TABLE messages (
    tenant       TEXT NOT NULL,
    message      TEXT NOT NULL,
    invoice      TEXT NOT NULL,
    customer     TEXT NOT NULL,
    occasion     TEXT NOT NULL,
    profile      TEXT NOT NULL,
    channel      TEXT NOT NULL,
    template     TEXT NOT NULL,
    status       TEXT NOT NULL,
    reason       TEXT,
    requested_at INTEGER NOT NULL,
    settled_at   INTEGER,
    position     INTEGER NOT NULL,
    PRIMARY KEY (tenant, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_by_position ON messages (tenant, position);
CREATE INDEX messages_by_status ON messages (tenant, status, position);
