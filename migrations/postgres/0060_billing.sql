-- What is billed by itself: lines of plans, how charges came to be, what invoices come to, and when what is due.

ALTER TABLE plans ADD COLUMN lines TEXT NOT NULL DEFAULT '[]';

ALTER TABLE charges ADD COLUMN explanation TEXT;

ALTER TABLE invoices ADD COLUMN tax BIGINT NOT NULL DEFAULT 0;
ALTER TABLE invoices ADD COLUMN credit_granted BIGINT NOT NULL DEFAULT 0;
ALTER TABLE invoices ADD COLUMN credit_applied BIGINT NOT NULL DEFAULT 0;
ALTER TABLE invoices ADD COLUMN to_pay BIGINT NOT NULL DEFAULT 0;

CREATE TABLE billing_due (
    tenant       TEXT COLLATE "C"    NOT NULL,
    subscription TEXT COLLATE "C"    NOT NULL,
    customer     TEXT    NOT NULL,
    currency     TEXT    NOT NULL,
    run          BIGINT NOT NULL,
    next_billing BIGINT,
    PRIMARY KEY (tenant, subscription)
);
CREATE INDEX billing_due_by_time ON billing_due (next_billing, tenant, subscription) WHERE next_billing IS NOT NULL;
CREATE INDEX billing_due_by_tenant ON billing_due (tenant, next_billing, subscription) WHERE next_billing IS NOT NULL;
CREATE INDEX billing_due_by_customer ON billing_due (tenant, customer);

CREATE TABLE credit_balances (
    tenant     TEXT COLLATE "C" NOT NULL,
    customer   TEXT COLLATE "C" NOT NULL,
    currency   TEXT COLLATE "C" NOT NULL,
    balance    BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, customer, currency)
);
