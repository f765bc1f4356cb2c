-- Keys in the order that costs the least. Ids of commands without a caller's key rise with time: with the id first
-- their rows are appended instead of scattered over the index. A stream's name begins with its tenant, which decides
-- the shard: with the name first, one comparison tells two streams apart.

ALTER TABLE commands DROP CONSTRAINT commands_pkey;
ALTER TABLE commands ADD PRIMARY KEY (shard, command_id, tenant);

ALTER TABLE journal DROP CONSTRAINT journal_shard_aggregate_type_stream_sequence_key;
ALTER TABLE journal ADD UNIQUE (stream, aggregate_type, sequence, shard);

ALTER TABLE streams DROP CONSTRAINT streams_pkey;
ALTER TABLE streams ADD PRIMARY KEY (stream, aggregate_type, shard);
