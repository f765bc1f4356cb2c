-- What a subscription goes on as, found by what it was: an id that counted for the one does not count for the other.

CREATE INDEX subscriptions_moved_from ON subscriptions (tenant, moved_from) WHERE moved_from IS NOT NULL;
