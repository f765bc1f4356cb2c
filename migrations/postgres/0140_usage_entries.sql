-- Usage said of one line in one statement, and which lines there are to say it of.

CREATE TABLE usage_entries (
    tenant     TEXT COLLATE "C" NOT NULL,
    usage      TEXT COLLATE "C" NOT NULL,
    withdrawn  BOOLEAN NOT NULL,
    version    BIGINT  NOT NULL,
    entry      TEXT    NOT NULL, -- JSON
    position   BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    created_by TEXT    NOT NULL,
    updated_at BIGINT  NOT NULL,
    updated_by TEXT    NOT NULL,
    PRIMARY KEY (tenant, usage)
);
CREATE INDEX usage_entries_by_position ON usage_entries (tenant, position);

CREATE TABLE metered_items (
    tenant       TEXT COLLATE "C" NOT NULL,
    line         TEXT COLLATE "C" NOT NULL,
    subscription TEXT COLLATE "C" NOT NULL,
    position     BIGINT NOT NULL, -- of the event that last began to meter it
    PRIMARY KEY (tenant, line, subscription)
);
