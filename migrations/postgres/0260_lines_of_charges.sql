-- Which line of its subscription a charge is for; null where somebody put it there by hand.

ALTER TABLE charges ADD COLUMN line TEXT COLLATE "C";
