-- Purchases: what a client is asked to pay.

CREATE TABLE purchases (
    tenant     TEXT   NOT NULL,
    purchase   TEXT   NOT NULL,
    customer   TEXT   NOT NULL,
    number     BIGINT NOT NULL,
    status     TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    total      BIGINT NOT NULL,
    due        BIGINT NOT NULL,
    terms      TEXT   NOT NULL, -- the order as JSON
    client     TEXT,            -- the customer as it was, as JSON
    position   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, purchase)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX purchases_by_number ON purchases (tenant, number);
CREATE INDEX purchases_by_customer ON purchases (tenant, customer, position);
-- The page of a purchase is opened without saying whose it is.
CREATE INDEX purchases_by_id ON purchases (purchase);

CREATE TABLE purchase_status_history (
    tenant   TEXT   NOT NULL,
    purchase TEXT   NOT NULL,
    sequence BIGINT NOT NULL,
    status   TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (tenant, purchase, sequence)
);
