-- An abort in each state, and a whole mail behind each on the same connection.
conn = mt.connect(socket)
if mt.negotiate(conn, 6, nil, nil) ~= nil then error("negotiation") end
mt.conninfo(conn, "client.example", "192.0.2.7")
mt.helo(conn, "client.example")
function mail(upto, subject)
  local steps = {
    function()
      mt.mailfrom(conn, "<paul@ailleurs.example>")
      if mt.getreply(conn) ~= SMFIR_CONTINUE then error("mail") end
    end,
    function() mt.rcptto(conn, "<achats@maison.example>") end,
    function() mt.data(conn) end,
    function() mt.header(conn, "Subject", subject) end,
    function() mt.eoh(conn) end,
    function() mt.bodystring(conn, "texte\r\n") end,
  }
  for i = 1, upto do steps[i]() end
end
for state = 0, 6 do
  mail(state, "abandon " .. state)
  mt.abort(conn)
  mail(6, "entier " .. state)
  if mt.eom(conn) ~= nil then error("end of message") end
  if mt.getreply(conn) ~= SMFIR_ACCEPT then error("whole mail behind an abort in state " .. state) end
end
mt.disconnect(conn)
