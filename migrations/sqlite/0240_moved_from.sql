-- What a subscription was before it became another customer's: what was used then counts once for both.

ALTER TABLE subscriptions ADD COLUMN moved_from TEXT;
