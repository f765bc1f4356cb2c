-- A line that comes to an order later than what else is charged for a period is delivered by itself.

ALTER TABLE fulfilments ADD COLUMN line TEXT;
