-- What is paid of invoices, what is collected of them and when, and what is delivered for billed periods.

ALTER TABLE invoices ADD COLUMN paid BIGINT NOT NULL DEFAULT 0;
ALTER TABLE invoices ADD COLUMN balance BIGINT NOT NULL DEFAULT 0;
ALTER TABLE invoices ADD COLUMN collection TEXT;

CREATE TABLE invoice_payments (
    tenant      TEXT COLLATE "C" NOT NULL,
    invoice     TEXT COLLATE "C" NOT NULL,
    reference   TEXT COLLATE "C" NOT NULL,
    amount      BIGINT NOT NULL,
    applied     BIGINT NOT NULL,
    method      TEXT,
    paid_at     BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    position    BIGINT NOT NULL,
    PRIMARY KEY (tenant, invoice, reference)
);

CREATE TABLE collections_due (
    tenant  TEXT COLLATE "C" NOT NULL,
    invoice TEXT COLLATE "C" NOT NULL,
    due_at  BIGINT, -- null when there is nothing to collect any more
    PRIMARY KEY (tenant, invoice)
);
CREATE INDEX collections_due_by_time ON collections_due (due_at, tenant, invoice) WHERE due_at IS NOT NULL;
CREATE INDEX collections_due_by_tenant ON collections_due (tenant, due_at, invoice) WHERE due_at IS NOT NULL;

CREATE TABLE payments (
    tenant       TEXT COLLATE "C" NOT NULL,
    payment      TEXT COLLATE "C" NOT NULL,
    invoice      TEXT COLLATE "C" NOT NULL,
    customer     TEXT NOT NULL,
    amount       BIGINT NOT NULL,
    currency     TEXT NOT NULL,
    processor    TEXT,
    status       TEXT COLLATE "C" NOT NULL,
    reference    TEXT COLLATE "C",
    reason       TEXT,
    requested_at BIGINT NOT NULL,
    settled_at   BIGINT,
    position     BIGINT NOT NULL,
    PRIMARY KEY (tenant, payment)
);
CREATE INDEX payments_by_status ON payments (tenant, status, position);

CREATE TABLE fulfilments (
    tenant       TEXT COLLATE "C" NOT NULL,
    fulfilment   TEXT COLLATE "C" NOT NULL,
    subscription TEXT COLLATE "C" NOT NULL,
    period_start TEXT NOT NULL,
    period_end   TEXT,
    automatic    BOOLEAN NOT NULL,
    due_at       BIGINT, -- null once it is opened
    status       TEXT COLLATE "C" NOT NULL,
    opened_at    BIGINT,
    completed_at BIGINT,
    position     BIGINT NOT NULL,
    PRIMARY KEY (tenant, fulfilment)
);
CREATE INDEX fulfilments_by_time ON fulfilments (due_at, tenant, fulfilment) WHERE due_at IS NOT NULL;
CREATE INDEX fulfilments_by_tenant ON fulfilments (tenant, due_at, fulfilment) WHERE due_at IS NOT NULL;
CREATE INDEX fulfilments_by_status ON fulfilments (tenant, status, position);
