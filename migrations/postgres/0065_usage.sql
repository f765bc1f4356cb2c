-- What is billed by usage, and usage that nothing bills.

CREATE TABLE metered_lines (
    tenant       TEXT COLLATE "C" NOT NULL,
    subscription TEXT COLLATE "C" NOT NULL,
    metric       TEXT COLLATE "C" NOT NULL,
    position     BIGINT NOT NULL, -- of the event that last began to meter it
    PRIMARY KEY (tenant, subscription, metric)
);

CREATE TABLE unmatched_usage (
    tenant      TEXT COLLATE "C" NOT NULL,
    position    BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    records     TEXT   NOT NULL, -- JSON
    PRIMARY KEY (tenant, position)
);
