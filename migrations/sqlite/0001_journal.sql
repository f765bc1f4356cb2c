-- The log and what guards it. Every key begins with the shard (a hash of the tenant), so that the tables can be
-- spread over partitions or servers later.

CREATE TABLE journal (
    shard          INTEGER NOT NULL,
    pos            INTEGER NOT NULL,
    tenant         TEXT   NOT NULL,
    aggregate_type TEXT   NOT NULL,
    stream         TEXT   NOT NULL, -- "tenant/aggregate id": unique without the tenant column, as the standard view needs
    sequence       INTEGER NOT NULL CHECK (sequence > 0),
    event_type     TEXT   NOT NULL,
    event_version  INTEGER NOT NULL,
    payload        TEXT   NOT NULL, -- exact bytes: the hash covers them
    metadata       TEXT   NOT NULL,
    recorded_at    INTEGER NOT NULL, -- microseconds since the epoch
    command_id     TEXT   NOT NULL,
    key_id         TEXT,            -- the subject whose key seals the payload's "personal" field
    hash           BLOB  NOT NULL,
    PRIMARY KEY (shard, pos),
    UNIQUE (shard, aggregate_type, stream, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE head (
    shard INTEGER PRIMARY KEY,
    pos   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO head (shard, pos) VALUES (0, 0), (1, 0), (2, 0), (3, 0);

CREATE TABLE streams (
    shard          INTEGER NOT NULL,
    aggregate_type TEXT   NOT NULL,
    stream         TEXT   NOT NULL,
    version        INTEGER NOT NULL,
    hash           BLOB  NOT NULL,
    PRIMARY KEY (shard, aggregate_type, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
    shard        INTEGER NOT NULL,
    tenant       TEXT   NOT NULL,
    command_id   TEXT   NOT NULL,
    request_hash TEXT   NOT NULL,
    first_pos    INTEGER NOT NULL, -- 0 where the command changed nothing
    last_pos     INTEGER NOT NULL,
    reply        TEXT   NOT NULL,
    PRIMARY KEY (shard, tenant, command_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots_of_state (
    shard          INTEGER NOT NULL,
    aggregate_type TEXT   NOT NULL,
    stream         TEXT   NOT NULL,
    state_version  INTEGER NOT NULL,
    sequence       INTEGER NOT NULL,
    hash           BLOB  NOT NULL, -- of the event it was taken after: a snapshot of another history is not used
    recorded_at    INTEGER NOT NULL,
    state          TEXT   NOT NULL,
    PRIMARY KEY (shard, aggregate_type, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE subject_keys (
    shard   INTEGER NOT NULL,
    tenant  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    key     BLOB  NOT NULL,
    PRIMARY KEY (shard, tenant, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE projections (
    name    TEXT   NOT NULL,
    shard   INTEGER NOT NULL,
    version INTEGER NOT NULL,
    pos     INTEGER NOT NULL, -- how far an asynchronous projection has come
    status  TEXT   NOT NULL, -- live, rebuilding, parked
    lease   INTEGER NOT NULL, -- until when its holder may work, microseconds since the epoch
    fence   INTEGER NOT NULL, -- raised by every new holder: an old one can no longer write
    detail  TEXT,
    PRIMARY KEY (name, shard)
) STRICT, WITHOUT ROWID;

-- The log in the standard shape of the es crates: their repositories read it as the second, independent reader.
CREATE VIEW events AS
SELECT aggregate_type,
       stream              AS aggregate_id,
       sequence,
       event_type,
       CAST(event_version AS TEXT) AS event_version,
       payload,
       metadata
FROM journal
WHERE shard IN (0, 1, 2, 3);
