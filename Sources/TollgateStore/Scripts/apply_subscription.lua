-- Applies what one event says of a user's subscription, unless something newer is recorded. SubscriptionModel.swift
-- of the tests has the rule once more, and says why. values.lua stands before it, and FIELDS, the names of all fields of
-- the record. Moments are ISO 8601 in UTC and are compared as strings.
--
-- Fields that others have written beside these stay, and so does the time that the record has to live, if an operator gave
-- it one: a plan that is given until a day ends on that day.
--
-- SUBSCRIPTION_KEY subscription:{user}
-- Names are those of ApplySubscriptionSignature. Behind the arguments stands the update: field, value, field, value, ...
-- An absent field says nothing. eventTime, eventId and status are always there. endedRival is no field of the record: the
-- subscription that Stripe says has ended.
--
-- Reply: the outcome, then the record as HGETALL gives it.

local LIVE = { active = true, trialing = true, past_due = true }
local FINAL = { canceled = true, incomplete_expired = true }

local function fields_to_table(list, first)
  local result = {}
  for i = first, #list, 2 do result[list[i]] = list[i + 1] end
  return result
end

local authoritative = ARGV[IS_AUTHORITATIVE] == '1'
local update = fields_to_table(ARGV, REST)
local record = fields_to_table(redis.call('HGETALL', KEYS[SUBSCRIPTION_KEY]), 1)
-- Without a plan it is no record.
local has_record = record.plan ~= nil
if not has_record then record = {} end

local same_subscription = has_record and
  (not record.subscription or not update.subscription or record.subscription == update.subscription)

local function verdict_on_same_subscription()
  local recorded_time = record.eventTime or ''
  -- A time that is invalid, or lies days ahead, orders nothing: Stripe is asked.
  if recorded_time ~= '' and not tools().moment(recorded_time)
    or string.sub(recorded_time, 1, 10) > string.sub(ARGV[NOW], 1, 10) and recorded_time > update.eventTime then
    return authoritative and APPLIED or TIE
  end
  if update.eventTime < recorded_time then return STALE end
  if authoritative then return APPLIED end
  if update.eventTime == recorded_time then
    if FINAL[record.status] then return STALE end
    return FINAL[update.status] and APPLIED or TIE
  end
  local comes_back = FINAL[record.status] and not FINAL[update.status] and record.subscription and update.subscription
  return comes_back and TIE or APPLIED
end

local function verdict_on_other_subscription()
  local serves = LIVE[record.status] and record.subscription ~= update.endedRival
  local is_later = (update.startedAt or update.eventTime) > (record.startedAt or '')
  if not LIVE[update.status] then
    if not is_later then return STALE end
    return serves and RIVALRY or APPLIED
  end
  if serves and not is_later then return STALE end
  return authoritative and APPLIED or TIE
end

local function verdict()
  if has_record and record.eventId == update.eventId then return ALREADY_APPLIED end
  if not same_subscription and not update.plan and LIVE[update.status] then return authoritative and STALE or TIE end
  if not has_record then return APPLIED end
  if same_subscription then return verdict_on_same_subscription() end
  return verdict_on_other_subscription()
end

local function tells_clerk_the_same(known)
  return update.plan == known.plan and update.customer == known.customer and update.subscription == known.subscription
    and LIVE[update.status] == LIVE[known.status]
    and (update.status == 'past_due') == (known.status == 'past_due')
end

-- Writes the update over the record, with what the update does not say kept from a record of the same subscription.
-- Clerk has yet to be told of it, unless it would hear what it knows already.
local function write()
  local known = same_subscription and record or {}
  local since = known.pastDueSince or update.eventTime
  update.plan = update.plan or known.plan or ARGV[FALLBACK_PLAN]
  update.customer = update.customer or known.customer
  update.subscription = update.subscription or known.subscription
  update.startedAt = update.startedAt or known.startedAt or (update.subscription and update.eventTime)
  if not update.periodEnd then update.periodStart, update.periodEnd = known.periodStart, known.periodEnd end
  update.pastDueSince = update.status == 'past_due' and since or nil
  update.writtenAt = ARGV[NOW]
  update.clerkUpdatedAt = tells_clerk_the_same(known) and known.clerkUpdatedAt or nil

  local said, silent = {}, {}
  for _, field in ipairs(FIELDS) do
    if update[field] then
      said[#said + 1] = field
      said[#said + 1] = update[field]
    else
      silent[#silent + 1] = field
    end
  end
  redis.call('HSET', KEYS[SUBSCRIPTION_KEY], unpack(said))
  if #silent > 0 then redis.call('HDEL', KEYS[SUBSCRIPTION_KEY], unpack(silent)) end
end

local outcome = verdict()
if outcome == APPLIED then write() end
return { outcome, unpack(redis.call('HGETALL', KEYS[SUBSCRIPTION_KEY])) }
