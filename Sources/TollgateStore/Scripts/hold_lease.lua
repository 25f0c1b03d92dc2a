-- Takes a lease, makes it last, or gives it back, unless another worker has it.
--
-- LEASE_KEY reconciliation:lease, or alerts:sweep:lease
-- Names are those of HoldLeaseSignature. With MILLISECONDS 0 the lease is given back.
--
-- Reply: the outcome.

local holder = redis.call('GET', KEYS[LEASE_KEY])
if holder and holder ~= ARGV[TOKEN] then return TAKEN end
if ARGV[MILLISECONDS] == '0' then
  redis.call('DEL', KEYS[LEASE_KEY])
else
  redis.call('SET', KEYS[LEASE_KEY], ARGV[TOKEN], 'PX', ARGV[MILLISECONDS])
end
return OURS
