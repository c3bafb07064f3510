-- What the scripts on a session's row share. KEYS: served, slots, row.
local function fenced(epoch)
  local current = redis.call('HGET', KEYS[1], 'epoch')
  if current and tonumber(epoch) < number(current, 'epoch in ' .. KEYS[1]) then return current end
  return nil
end
local function read_row()
  local flat = redis.call('HGETALL', KEYS[3])
  if #flat == 0 then return nil end
  local row = {}
  for i = 1, #flat, 2 do row[flat[i]] = flat[i + 1] end
  return row
end
-- Everything a close record and a repeated last charge need.
local function record(code, row)
  return {code, row.user, row.epoch, row.opened, row.closed or '', row.tick, row.seq, row.charged, row.reason or '',
    row.delta, row.at}
end
local function close_row(row, closed, reason, retention)
  -- A damaged row is left as it is, open.
  for _, field in ipairs({'user', 'epoch', 'opened', 'tick', 'seq', 'charged', 'delta', 'at'}) do
    number(row[field], field .. ' in ' .. KEYS[3])
  end
  row.closed, row.reason = closed, reason
  redis.call('HSET', KEYS[3], 'closed', closed, 'reason', reason)
  redis.call('PEXPIRE', KEYS[3], retention)
end
