-- What is to be told to customers of orders, and what became of it.

CREATE TABLE messages (
    tenant       TEXT COLLATE "C" NOT NULL,
    message      TEXT COLLATE "C" NOT NULL,
    invoice      TEXT COLLATE "C" NOT NULL,
    customer     TEXT COLLATE "C" NOT NULL,
    occasion     TEXT NOT NULL,
    profile      TEXT NOT NULL,
    channel      TEXT NOT NULL,
    template     TEXT NOT NULL,
    status       TEXT NOT NULL,
    reason       TEXT,
    requested_at BIGINT NOT NULL,
    settled_at   BIGINT,
    position     BIGINT NOT NULL,
    PRIMARY KEY (tenant, message)
);
CREATE INDEX messages_by_position ON messages (tenant, position);
CREATE INDEX messages_by_status ON messages (tenant, status, position);
