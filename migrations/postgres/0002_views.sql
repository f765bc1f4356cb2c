-- Read tables of the inline projections: rebuilt from the log at any time. Dates are YYYY-MM-DD, amounts minor units.

CREATE TABLE tenants (
    tenant     TEXT COLLATE "C"   NOT NULL,
    name       TEXT   NOT NULL,
    company_id TEXT   NOT NULL,
    brand_id   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant)
);

CREATE TABLE credentials (
    tenant        TEXT COLLATE "C"   NOT NULL,
    kind          TEXT   NOT NULL,
    public_id     TEXT   NOT NULL,
    secret_sha256 TEXT COLLATE "C"   NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, public_id)
);
CREATE INDEX credentials_by_secret ON credentials (secret_sha256);

CREATE TABLE preferences (
    tenant     TEXT COLLATE "C"   NOT NULL,
    invoicing  TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant)
) WITH (fillfactor = 70);

CREATE TABLE plans (
    tenant     TEXT COLLATE "C"   NOT NULL,
    plan       TEXT COLLATE "C"   NOT NULL,
    name       TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, plan)
);

CREATE TABLE customers (
    tenant     TEXT COLLATE "C"    NOT NULL,
    customer   TEXT COLLATE "C"    NOT NULL,
    code       TEXT    NOT NULL,
    reference  TEXT,
    profile    TEXT    NOT NULL,
    contact    TEXT,
    email      TEXT,
    forgotten  BOOLEAN NOT NULL,
    position   BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL,
    PRIMARY KEY (tenant, customer)
);
CREATE UNIQUE INDEX customers_by_code ON customers (tenant, code);
CREATE INDEX customers_by_position ON customers (tenant, position);
CREATE INDEX customers_by_email ON customers (tenant, email);
CREATE INDEX customers_by_reference ON customers (tenant, reference);

CREATE TABLE subscriptions (
    tenant       TEXT COLLATE "C"   NOT NULL,
    subscription TEXT COLLATE "C"   NOT NULL,
    customer     TEXT COLLATE "C"   NOT NULL,
    plan         TEXT,
    currency     TEXT   NOT NULL,
    cycle        TEXT   NOT NULL,
    activation   TEXT   NOT NULL,
    status       TEXT   NOT NULL,
    terms        TEXT   NOT NULL,
    position     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant, subscription)
);
CREATE INDEX subscriptions_by_customer ON subscriptions (tenant, customer, position);

CREATE TABLE charges (
    tenant            TEXT COLLATE "C"    NOT NULL,
    charge            TEXT COLLATE "C"    NOT NULL,
    subscription      TEXT COLLATE "C"    NOT NULL,
    status            TEXT    NOT NULL,
    invoice           TEXT,
    name              TEXT    NOT NULL,
    amount            BIGINT  NOT NULL,
    currency          TEXT    NOT NULL,
    period_start      TEXT    NOT NULL,
    period_end        TEXT,
    flat_fee          BOOLEAN NOT NULL,
    automatic_payment BOOLEAN NOT NULL,
    due_date          TEXT    NOT NULL,
    position          BIGINT  NOT NULL,
    PRIMARY KEY (tenant, charge)
);
CREATE INDEX charges_pending ON charges (tenant, subscription) WHERE status = 'pending';

CREATE TABLE invoices (
    tenant            TEXT COLLATE "C"    NOT NULL,
    invoice           TEXT COLLATE "C"    NOT NULL,
    number            BIGINT  NOT NULL,
    customer          TEXT COLLATE "C"    NOT NULL,
    subscription      TEXT COLLATE "C"    NOT NULL,
    currency          TEXT    NOT NULL,
    issue_date        TEXT    NOT NULL,
    due_date          TEXT    NOT NULL,
    automatic_payment BOOLEAN NOT NULL,
    total             BIGINT  NOT NULL,
    position          BIGINT  NOT NULL,
    created_at        BIGINT  NOT NULL,
    PRIMARY KEY (tenant, invoice)
);
CREATE UNIQUE INDEX invoices_by_number ON invoices (tenant, number);
CREATE INDEX invoices_by_position ON invoices (tenant, position);
CREATE INDEX invoices_by_customer ON invoices (tenant, customer, position);

CREATE TABLE invoice_lines (
    tenant       TEXT COLLATE "C"    NOT NULL,
    invoice      TEXT COLLATE "C"    NOT NULL,
    line         BIGINT  NOT NULL,
    charge       TEXT COLLATE "C"    NOT NULL,
    name         TEXT    NOT NULL,
    amount       BIGINT  NOT NULL,
    period_start TEXT    NOT NULL,
    period_end   TEXT,
    flat_fee     BOOLEAN NOT NULL,
    due_date     TEXT    NOT NULL,
    PRIMARY KEY (tenant, invoice, line)
);
CREATE UNIQUE INDEX invoice_lines_by_charge ON invoice_lines (tenant, charge);

-- Not views: access tokens and sessions, which nobody bills by and which expire.
CREATE TABLE access_tokens (
    token_sha256 TEXT COLLATE "C"   NOT NULL,
    tenant       TEXT COLLATE "C"   NOT NULL,
    kind         TEXT   NOT NULL, -- exsited_access, exsited_refresh, session
    public_id    TEXT   NOT NULL, -- of the credential it was given for
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (token_sha256)
);
