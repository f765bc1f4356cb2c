-- Purchases: what a client is asked to pay.

CREATE TABLE purchases (
    tenant     TEXT   NOT NULL,
    purchase   TEXT   NOT NULL,
    customer   TEXT   NOT NULL,
    number     INTEGER NOT NULL,
    status     TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    total      INTEGER NOT NULL,
    due        INTEGER NOT NULL,
    terms      TEXT   NOT NULL, -- the order as JSON
    client     TEXT,            -- the customer as it was, as JSON
    position   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, purchase)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX purchases_by_number ON purchases (tenant, number);
CREATE INDEX purchases_by_customer ON purchases (tenant, customer, position);
-- The page of a purchase is opened without saying whose it is.
CREATE INDEX purchases_by_id ON purchases (purchase);

CREATE TABLE purchase_status_history (
    tenant   TEXT   NOT NULL,
    purchase TEXT   NOT NULL,
    sequence INTEGER NOT NULL,
    status   TEXT   NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (tenant, purchase, sequence)
) STRICT, WITHOUT ROWID;
