-- What is paid of invoices, what is collected of them and when, and what is delivered for billed periods.

ALTER TABLE invoices ADD COLUMN paid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invoices ADD COLUMN balance INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invoices ADD COLUMN collection TEXT;

CREATE TABLE invoice_payments (
    tenant      TEXT NOT NULL,
    invoice     TEXT NOT NULL,
    reference   TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    applied     INTEGER NOT NULL,
    method      TEXT,
    paid_at     INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    PRIMARY KEY (tenant, invoice, reference)
) STRICT, WITHOUT ROWID;

CREATE TABLE collections_due (
    tenant  TEXT NOT NULL,
    invoice TEXT NOT NULL,
    due_at  INTEGER, -- null when there is nothing to collect any more
    PRIMARY KEY (tenant, invoice)
) STRICT, WITHOUT ROWID;
CREATE INDEX collections_due_by_time ON collections_due (due_at, tenant, invoice) WHERE due_at IS NOT NULL;
CREATE INDEX collections_due_by_tenant ON collections_due (tenant, due_at, invoice) WHERE due_at IS NOT NULL;

CREATE TABLE payments (
    tenant       TEXT NOT NULL,
    payment      TEXT NOT NULL,
    invoice      TEXT NOT NULL,
    customer     TEXT NOT NULL,
    amount       INTEGER NOT NULL,
    currency     TEXT NOT NULL,
    processor    TEXT,
    status       TEXT NOT NULL,
    reference    TEXT,
    reason       TEXT,
    requested_at INTEGER NOT NULL,
    settled_at   INTEGER,
    position     INTEGER NOT NULL,
    PRIMARY KEY (tenant, payment)
) STRICT, WITHOUT ROWID;
CREATE INDEX payments_by_status ON payments (tenant, status, position);

CREATE TABLE fulfilments (
    tenant       TEXT NOT NULL,
    fulfilment   TEXT NOT NULL,
    subscription TEXT NOT NULL,
    period_start TEXT NOT NULL,
    period_end   TEXT,
    automatic    INTEGER NOT NULL,
    due_at       INTEGER, -- null once it is opened
    status       TEXT NOT NULL,
    opened_at    INTEGER,
    completed_at INTEGER,
    position     INTEGER NOT NULL,
    PRIMARY KEY (tenant, fulfilment)
) STRICT, WITHOUT ROWID;
CREATE INDEX fulfilments_by_time ON fulfilments (due_at, tenant, fulfilment) WHERE due_at IS NOT NULL;
CREATE INDEX fulfilments_by_tenant ON fulfilments (tenant, due_at, fulfilment) WHERE due_at IS NOT NULL;
CREATE INDEX fulfilments_by_status ON fulfilments (tenant, status, position);
