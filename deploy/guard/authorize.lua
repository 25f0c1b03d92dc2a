-- Asks Tollgate whether a request may pass. haproxy.cfg says where.

local URL = os.getenv("TOLLGATE_AUTHORIZE_URL")
local TIMEOUT_MILLISECONDS = 2000
local IDENTITY = { "x-tollgate-user", "x-tollgate-plan" }
local ASKED_WITH = { "authorization" }
local UNAVAILABLE = '{"error":"Service unavailable","code":"service-unavailable"}'

-- HAProxy's lists of values begin with 0.
local function question(txn)
  local headers = txn.http:req_get_headers()
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

core.register_action("authorize", { "http-req" }, function(txn)
  local answer = core.httpclient():get{ url = URL, headers = question(txn), timeout = TIMEOUT_MILLISECONDS }
  if not answer or answer.status == 0 then
    answer = { status = 503, headers = { ["content-type"] = { [0] = "application/json" } }, body = UNAVAILABLE }
  end
  if answer.status ~= 200 then return refuse(txn, answer) end
  for _, name in ipairs(IDENTITY) do
    if answer.headers[name] then txn.http:req_set_header(name, answer.headers[name][0]) end
  end
end, 0)
