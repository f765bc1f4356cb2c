-- Billing templates, their subscribers, and when a purchase was paid.

CREATE TABLE billing_templates (
    tenant     TEXT NOT NULL,
    template   TEXT NOT NULL,
    recurring  INTEGER NOT NULL,
    brand      TEXT NOT NULL,
    active     INTEGER NOT NULL, -- whether subscribers are billed
    launched   INTEGER NOT NULL,
    deleted    INTEGER NOT NULL,
    terms      TEXT NOT NULL, -- the template as JSON
    position   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, template)
) STRICT, WITHOUT ROWID;
CREATE INDEX billing_templates_by_position ON billing_templates (tenant, position);

CREATE TABLE subscribers (
    tenant        TEXT NOT NULL,
    subscriber    TEXT NOT NULL,
    template      TEXT NOT NULL,
    customer      TEXT NOT NULL,
    status        TEXT NOT NULL,
    time_zone     TEXT NOT NULL,
    choices       TEXT NOT NULL, -- as JSON
    next_number   INTEGER,
    next_billing  TEXT,          -- the local date of the next purchase
    due_at        INTEGER,          -- when that date begins
    cycles_passed INTEGER NOT NULL,
    position      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant, subscriber)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscribers_by_template ON subscribers (tenant, template, position);
-- Whoever bills asks for what is due, whosever it is.
CREATE INDEX subscribers_by_due ON subscribers (due_at);

ALTER TABLE purchases ADD COLUMN paid_on INTEGER;
