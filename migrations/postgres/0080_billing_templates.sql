-- Billing templates, their subscribers, and when a purchase was paid.

CREATE TABLE billing_templates (
    tenant     TEXT COLLATE "C" NOT NULL,
    template   TEXT COLLATE "C" NOT NULL,
    recurring  BOOLEAN NOT NULL,
    brand      TEXT COLLATE "C" NOT NULL,
    active     BOOLEAN NOT NULL, -- whether subscribers are billed
    launched   BOOLEAN NOT NULL,
    deleted    BOOLEAN NOT NULL,
    terms      TEXT NOT NULL, -- the template as JSON
    position   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, template)
);
CREATE INDEX billing_templates_by_position ON billing_templates (tenant, position);

CREATE TABLE subscribers (
    tenant        TEXT COLLATE "C" NOT NULL,
    subscriber    TEXT COLLATE "C" NOT NULL,
    template      TEXT COLLATE "C" NOT NULL,
    customer      TEXT COLLATE "C" NOT NULL,
    status        TEXT NOT NULL,
    time_zone     TEXT NOT NULL,
    choices       TEXT NOT NULL, -- as JSON
    next_number   BIGINT,
    next_billing  TEXT,          -- the local date of the next purchase
    due_at        BIGINT,          -- when that date begins
    cycles_passed BIGINT NOT NULL,
    position      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant, subscriber)
);
CREATE INDEX subscribers_by_template ON subscribers (tenant, template, position);
-- Whoever bills asks for what is due, whosever it is.
CREATE INDEX subscribers_by_due ON subscribers (due_at);

ALTER TABLE purchases ADD COLUMN paid_on BIGINT;
