"""The browser workstation as a person has it: the real command in a process, a real browser, real mouse and key events.

    def test_a_case_opens(visit, workstation, phantom_series):
        person = visit(workstation(phantom_series))
        person.sees("heading", "a_t2")
        person.view("Sagittal").click(ras)

Waits are for something to be seen, never for time. A test fails, too, when the server's log or the browser's console holds an error,
when a request fails, and when anything is asked of another host.
"""
