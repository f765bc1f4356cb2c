-- Read tables of the inline projections: rebuilt from the log at any time. Dates are YYYY-MM-DD, amounts minor units.

CREATE TABLE tenants (
    tenant     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    company_id TEXT   NOT NULL,
    brand_id   TEXT   NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant)
) STRICT, WITHOUT ROWID;

CREATE TABLE credentials (
    tenant        TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    public_id     TEXT   NOT NULL,
    secret_sha256 TEXT   NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, public_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX credentials_by_secret ON credentials (secret_sha256);

CREATE TABLE preferences (
    tenant     TEXT   NOT NULL,
    invoicing  TEXT   NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant)
) STRICT, WITHOUT ROWID;

CREATE TABLE plans (
    tenant     TEXT   NOT NULL,
    plan       TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, plan)
) STRICT, WITHOUT ROWID;

CREATE TABLE customers (
    tenant     TEXT    NOT NULL,
    customer   TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    reference  TEXT,
    profile    TEXT    NOT NULL,
    contact    TEXT,
    email      TEXT,
    forgotten  INTEGER NOT NULL,
    position   INTEGER  NOT NULL,
    created_at INTEGER  NOT NULL,
    updated_at INTEGER  NOT NULL,
    PRIMARY KEY (tenant, customer)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX customers_by_code ON customers (tenant, code);
CREATE INDEX customers_by_position ON customers (tenant, position);
CREATE INDEX customers_by_email ON customers (tenant, email);
CREATE INDEX customers_by_reference ON customers (tenant, reference);

CREATE TABLE subscriptions (
    tenant       TEXT   NOT NULL,
    subscription TEXT   NOT NULL,
    customer     TEXT   NOT NULL,
    plan         TEXT,
    currency     TEXT   NOT NULL,
    cycle        TEXT   NOT NULL,
    activation   TEXT   NOT NULL,
    status       TEXT   NOT NULL,
    terms        TEXT   NOT NULL,
    position     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, subscription)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscriptions_by_customer ON subscriptions (tenant, customer, position);

CREATE TABLE charges (
    tenant            TEXT    NOT NULL,
    charge            TEXT    NOT NULL,
    subscription      TEXT    NOT NULL,
    status            TEXT    NOT NULL,
    invoice           TEXT,
    name              TEXT    NOT NULL,
    amount            INTEGER  NOT NULL,
    currency          TEXT    NOT NULL,
    period_start      TEXT    NOT NULL,
    period_end        TEXT,
    flat_fee          INTEGER NOT NULL,
    automatic_payment INTEGER NOT NULL,
    due_date          TEXT    NOT NULL,
    position          INTEGER  NOT NULL,
    PRIMARY KEY (tenant, charge)
) STRICT, WITHOUT ROWID;
CREATE INDEX charges_pending ON charges (tenant, subscription) WHERE status = 'pending';

CREATE TABLE invoices (
    tenant            TEXT    NOT NULL,
    invoice           TEXT    NOT NULL,
    number            INTEGER  NOT NULL,
    customer          TEXT    NOT NULL,
    subscription      TEXT    NOT NULL,
    currency          TEXT    NOT NULL,
    issue_date        TEXT    NOT NULL,
    due_date          TEXT    NOT NULL,
    automatic_payment INTEGER NOT NULL,
    total             INTEGER  NOT NULL,
    position          INTEGER  NOT NULL,
    created_at        INTEGER  NOT NULL,
    PRIMARY KEY (tenant, invoice)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX invoices_by_number ON invoices (tenant, number);
CREATE INDEX invoices_by_position ON invoices (tenant, position);
CREATE INDEX invoices_by_customer ON invoices (tenant, customer, position);

CREATE TABLE invoice_lines (
    tenant       TEXT    NOT NULL,
    invoice      TEXT    NOT NULL,
    line         INTEGER  NOT NULL,
    charge       TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    amount       INTEGER  NOT NULL,
    period_start TEXT    NOT NULL,
    period_end   TEXT,
    flat_fee     INTEGER NOT NULL,
    due_date     TEXT    NOT NULL,
    PRIMARY KEY (tenant, invoice, line)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX invoice_lines_by_charge ON invoice_lines (tenant, charge);

-- Not views: access tokens and sessions, which nobody bills by and which expire.
CREATE TABLE access_tokens (
    token_sha256 TEXT   NOT NULL,
    tenant       TEXT   NOT NULL,
    kind         TEXT   NOT NULL, -- exsited_access, exsited_refresh, session
    public_id    TEXT   NOT NULL, -- of the credential it was given for
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (token_sha256)
) STRICT, WITHOUT ROWID;
