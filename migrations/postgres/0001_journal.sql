-- The log and what guards it. Every key begins with the shard (a hash of the tenant), so that the tables can be
-- spread over partitions or servers later.

CREATE TABLE journal (
    shard          BIGINT NOT NULL,
    pos            BIGINT NOT NULL,
    tenant         TEXT COLLATE "C"   NOT NULL,
    aggregate_type TEXT COLLATE "C"   NOT NULL,
    stream         TEXT COLLATE "C"   NOT NULL, -- "tenant/aggregate id": unique without the tenant column, as the standard view needs
    sequence       BIGINT NOT NULL CHECK (sequence > 0),
    event_type     TEXT   NOT NULL,
    event_version  BIGINT NOT NULL,
    payload        TEXT   NOT NULL, -- exact bytes: the hash covers them
    metadata       TEXT   NOT NULL,
    recorded_at    BIGINT NOT NULL, -- microseconds since the epoch
    command_id     TEXT COLLATE "C"   NOT NULL,
    key_id         TEXT,            -- the subject whose key seals the payload's "personal" field
    hash           BYTEA  NOT NULL,
    PRIMARY KEY (shard, pos),
    UNIQUE (shard, aggregate_type, stream, sequence)
);

CREATE TABLE head (
    shard BIGINT PRIMARY KEY,
    pos   BIGINT NOT NULL
);
INSERT INTO head (shard, pos) VALUES (0, 0), (1, 0), (2, 0), (3, 0);

CREATE TABLE streams (
    shard          BIGINT NOT NULL,
    aggregate_type TEXT COLLATE "C"   NOT NULL,
    stream         TEXT COLLATE "C"   NOT NULL,
    version        BIGINT NOT NULL,
    hash           BYTEA  NOT NULL,
    PRIMARY KEY (shard, aggregate_type, stream)
) WITH (fillfactor = 70);

CREATE TABLE commands (
    shard        BIGINT NOT NULL,
    tenant       TEXT COLLATE "C"   NOT NULL,
    command_id   TEXT COLLATE "C"   NOT NULL,
    request_hash TEXT   NOT NULL,
    first_pos    BIGINT NOT NULL, -- 0 where the command changed nothing
    last_pos     BIGINT NOT NULL,
    reply        TEXT   NOT NULL,
    PRIMARY KEY (shard, tenant, command_id)
);

CREATE TABLE snapshots_of_state (
    shard          BIGINT NOT NULL,
    aggregate_type TEXT COLLATE "C"   NOT NULL,
    stream         TEXT COLLATE "C"   NOT NULL,
    state_version  BIGINT NOT NULL,
    sequence       BIGINT NOT NULL,
    hash           BYTEA  NOT NULL, -- of the event it was taken after: a snapshot of another history is not used
    recorded_at    BIGINT NOT NULL,
    state          TEXT   NOT NULL,
    PRIMARY KEY (shard, aggregate_type, stream)
);

CREATE TABLE subject_keys (
    shard   BIGINT NOT NULL,
    tenant  TEXT COLLATE "C"   NOT NULL,
    subject TEXT COLLATE "C"   NOT NULL,
    key     BYTEA  NOT NULL,
    PRIMARY KEY (shard, tenant, subject)
);

CREATE TABLE projections (
    name    TEXT   NOT NULL,
    shard   BIGINT NOT NULL,
    version BIGINT NOT NULL,
    pos     BIGINT NOT NULL, -- how far an asynchronous projection has come
    status  TEXT   NOT NULL, -- live, rebuilding, parked
    lease   BIGINT NOT NULL, -- until when its holder may work, microseconds since the epoch
    fence   BIGINT NOT NULL, -- raised by every new holder: an old one can no longer write
    detail  TEXT,
    PRIMARY KEY (name, shard)
);

-- The log in the standard shape of the es crates: their repositories read it as the second, independent reader.
CREATE VIEW events AS
SELECT aggregate_type,
       stream              AS aggregate_id,
       sequence,
       event_type,
       event_version::text AS event_version,
       payload::json       AS payload,
       metadata::json      AS metadata
FROM journal
WHERE shard IN (0, 1, 2, 3);
