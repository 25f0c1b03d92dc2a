-- Ends a reservation, once. values.lua and give_back.lua stand before it.
--
-- KEYS[1] usage:{user}                  KEYS[2] reservations:{user}
-- KEYS[3] idempotency:{user}:{key}, or KEYS[2] again when there is none
-- ARGV by the names of SettlementArgument; those from STATUS on when repeats get the answer of the call.
--
-- The answers that are kept are members of idempotency:{user}:answers: '<bytes> <key>', by when they are forgotten.
--
-- Reply: 1 ended, 0 it had ended before.

local KEYS, ARGV, call = KEYS, ARGV, redis.call
local CALL_TTL_SECONDS = 86400

if ARGV[MEMBER] ~= '' then
  if call('ZREM', KEYS[2], ARGV[MEMBER]) == 0 then return 0 end
  if ARGV[OUTCOME] == 'giveBack' then
    give_back(KEYS[1], ARGV[MEMBER])
    return 1
  end
end
if KEYS[3] == KEYS[2] then return 1 end

-- Its attempt may have been given up: a repeat is under way, or the call is remembered no more.
local attempt, state, forgotten_at = unpack(call('HMGET', KEYS[3], 'attempt', 'state', 'until'))
if attempt ~= ARGV[ID] or state ~= 'open' then return ARGV[MEMBER] ~= '' and 1 or 0 end
if ARGV[OUTCOME] == 'giveBack' then
  call('HSET', KEYS[3], 'state', 'failed')
  return 1
end
call('HSET', KEYS[3], 'state', 'finished')
if not ARGV[STATUS] or not forgotten_at then return 1 end

local names = 'idempotency' .. string.sub(KEYS[1], #'usage' + 1)
local answers, name = names .. ':answers', string.match(KEYS[3], '{([^{}]*)}$')
local count, bytes = 1, #ARGV[HEAD] + #ARGV[BODY]
local member = string.format('%.0f', bytes) .. ' ' .. name
local kept = {}
for _, other in ipairs(call('ZRANGE', answers, 0, -1)) do
  local size, of = string.match(other, '^(%d+) (%S+)$')
  if not size or of == name then
    call('ZREM', answers, other)
  else
    count, bytes = count + 1, bytes + tonumber(size)
    kept[#kept + 1] = { other, tonumber(size), of }
  end
end
for _, oldest in ipairs(kept) do
  if count <= tonumber(ARGV[MAXIMUM_ANSWERS]) and bytes <= tonumber(ARGV[MAXIMUM_BYTES]) then break end
  call('ZREM', answers, oldest[1])
  call('HDEL', names .. ':{' .. oldest[3] .. '}', 'status', 'head', 'body')
  count, bytes = count - 1, bytes - oldest[2]
end
call('HSET', KEYS[3], 'status', ARGV[STATUS], 'head', ARGV[HEAD], 'body', ARGV[BODY])
local score = string.gsub(forgotten_at, '%D', '')
call('ZADD', answers, score, member)
call('EXPIRE', answers, CALL_TTL_SECONDS)
return 1
