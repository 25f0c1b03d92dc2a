-- Asks Tollgate whether a request may pass. haproxy.cfg says where. HAProxy tries four times, so it takes 4 s at most.

local URL = os.getenv("TOLLGATE_AUTHORIZE_URL")
local TIMEOUT_MILLISECONDS = 1000
local IDENTITY = { "x-tollgate-user", "x-tollgate-plan", "x-tollgate-key-id", "x-request-id" }
local ASKED_WITH = { "authorization", "x-api-key" }
local UNAVAILABLE = '{"error":"Service unavailable","code":"service-unavailable"}'

-- The fields for the client, and the variables that haproxy.cfg takes them from.
local TOLD = {
  ["ratelimit"] = "txn.ratelimit",
  ["ratelimit-policy"] = "txn.ratelimit_policy",
  ["x-ratelimit-limit"] = "txn.x_ratelimit_limit",
  ["x-ratelimit-remaining"] = "txn.x_ratelimit_remaining",
  ["x-ratelimit-reset"] = "txn.x_ratelimit_reset",
  ["x-request-id"] = "txn.x_request_id",
}

-- HAProxy's lists of values begin with 0.
local function question(txn, headers)
  local asked = {
    ["x-forwarded-method"] = { txn.sf:method() },
    ["x-forwarded-uri"] = { txn.sf:pathq() },
    ["x-forwarded-host"] = { txn.sf:req_hdr("host") },
    ["x-forwarded-for"] = { txn.sf:src() },
  }
  for _, name in ipairs(ASKED_WITH) do
    if headers[name] then
      asked[name] = {}
      for i = 0, #headers[name] do asked[name][i + 1] = headers[name][i] end
    end
  end
  return asked
end

local function refuse(txn, answer)
  local reply = txn:reply()
  reply:set_status(answer.status)
  for name, values in pairs(answer.headers or {}) do
    if name ~= "content-length" and name ~= "connection" and name ~= "transfer-encoding" then
      for i = 0, #values do reply:add_header(name, values[i]) end
    end
  end
  reply:set_body(answer.body or "")
  txn:done(reply)
end

-- The key stays here. It is in X-API-Key, else in Basic; and nothing that begins as keys do passes in Authorization.
local function withhold_key(txn, headers)
  local authorization = headers["authorization"] or {}
  local is_alone = (headers["x-api-key"] and headers["x-api-key"][0] or "") == ""
  for i = 0, #authorization do
    local value = authorization[i] or ""
    local is_basic = value:lower():find("^basic%f[%W]")
    if (is_alone and is_basic) or value:find("[sp]k_live_") or value:find("[sp]k_test_") then
      txn.http:req_del_header("authorization")
    end
  end
  txn.http:req_del_header("x-api-key")
end

core.register_action("authorize", { "http-req" }, function(txn)
  local headers = txn.http:req_get_headers()
  local answer = core.httpclient():get{
    url = URL, headers = question(txn, headers), timeout = TIMEOUT_MILLISECONDS
  }
  if not answer or answer.status == 0 then
    answer = { status = 503, headers = { ["content-type"] = { [0] = "application/json" } }, body = UNAVAILABLE }
  end
  if answer.status ~= 200 then return refuse(txn, answer) end
  for _, name in ipairs(IDENTITY) do
    if answer.headers[name] then txn.http:req_set_header(name, answer.headers[name][0]) end
  end
  for name, variable in pairs(TOLD) do
    if answer.headers[name] then txn:set_var(variable, answer.headers[name][0]) end
  end
  withhold_key(txn, headers)
end, 0)
