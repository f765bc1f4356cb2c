-- What a tenant in test mode takes for the time; null where the tenant lives in real time.
ALTER TABLE tenants ADD COLUMN test_clock BIGINT;

-- Not views: who works now, and what could not be billed. Rebuilt by nothing, needed by no proof.

CREATE TABLE processes (
    name   TEXT COLLATE "C" NOT NULL,
    holder TEXT   NOT NULL, -- which process works, or worked last
    lease  BIGINT NOT NULL, -- until when it may, microseconds since the epoch
    fence  BIGINT NOT NULL, -- raised by every new holder
    PRIMARY KEY (name)
);
INSERT INTO processes (name, holder, lease, fence) VALUES ('scheduler', '', 0, 0);

CREATE TABLE unbilled (
    tenant       TEXT COLLATE "C" NOT NULL,
    subscription TEXT COLLATE "C" NOT NULL,
    since        BIGINT NOT NULL, -- when what cannot be billed fell due
    reason       TEXT   NOT NULL,
    attempts     BIGINT NOT NULL,
    retry_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant, subscription)
);
