-- What was counted of a user in a month.
--
-- USAGE_KEY usage:{user}
-- MONTH YYYY-MM  MAXIMUM_FIELDS of a hash that is told as a whole
--
-- The names of the hashes are made here: usage:{user}:<MONTH>-<0 to 3>, as admit.lua says, and
-- usage:{user}:<MONTH>-<01 to 31> with a day each, as the release before wrote them. They lie in the same slot.
--
-- Reply: for each that there is, what follows '<MONTH>-' in its name, and its fields and values; of one that has more
-- fields, how many.

local prefix, found = KEYS[USAGE_KEY] .. ':' .. ARGV[MONTH] .. '-', {}

local function add(rest)
  local size = redis.call('HLEN', prefix .. rest)
  if size == 0 then return end
  found[#found + 1] = rest
  found[#found + 1] = size > tonumber(ARGV[MAXIMUM_FIELDS]) and size or redis.call('HGETALL', prefix .. rest)
end

for tens = 0, 3 do add(tostring(tens)) end
local former = {}
for day = 1, 9 do former[day] = prefix .. 0 .. day end
for day = 10, 31 do former[day] = prefix .. day end
if redis.call('EXISTS', unpack(former)) > 0 then
  for _, name in ipairs(former) do add(string.sub(name, -2)) end
end
return found
