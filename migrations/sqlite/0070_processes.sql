-- What a tenant in test mode takes for the time; null where the tenant lives in real time.
ALTER TABLE tenants ADD COLUMN test_clock INTEGER;

-- Not views: who works now, and what could not be billed. Rebuilt by nothing, needed by no proof.

CREATE TABLE processes (
    name   TEXT NOT NULL,
    holder TEXT   NOT NULL, -- which process works, or worked last
    lease  INTEGER NOT NULL, -- until when it may, microseconds since the epoch
    fence  INTEGER NOT NULL, -- raised by every new holder
    PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;
INSERT INTO processes (name, holder, lease, fence) VALUES ('scheduler', '', 0, 0);

CREATE TABLE unbilled (
    tenant       TEXT NOT NULL,
    subscription TEXT NOT NULL,
    since        INTEGER NOT NULL, -- when what cannot be billed fell due
    reason       TEXT   NOT NULL,
    attempts     INTEGER NOT NULL,
    retry_at     INTEGER NOT NULL,
    PRIMARY KEY (tenant, subscription)
) STRICT, WITHOUT ROWID;
