"""Worker of two batches: the one with an even id reads batch 1, the other batch 7."""


def worker_entrance(toolbox):
    audio_chunk_lst, video_chunk_lst = None, None
    if not toolbox.WORKER_ID % 2:
        audio_chunk_lst = batch_1_audio_get(toolbox)
        video_chunk_lst = batch_1_video_get(toolbox)
    if toolbox.WORKER_ID % 2:
        audio_chunk_lst = batch_7_audio_get(toolbox)
        video_chunk_lst = batch_7_video_get(toolbox)
    print(f"....{toolbox.WORKER_ID} {audio_chunk_lst} {video_chunk_lst}")

    busy = template_worker(toolbox, audio_chunk_lst, video_chunk_lst)
    if not busy:
        return False
    return True


def batch_1_video_get(toolbox):
    while 1:
        if not toolbox.batch_1["video_in"].empty():
            lst = toolbox.batch_1["video_in"].get()
            toolbox.num_of_lists += 1
            return lst


def batch_1_audio_get(toolbox):
    while 1:
        if not toolbox.batch_1["audio_lg"].empty():
            lst = toolbox.batch_1["audio_lg"].get()
            return lst


def batch_7_video_get(toolbox):
    return toolbox.batch_7["video_in"].get()


def batch_7_audio_get(toolbox):
    return toolbox.batch_7["audio_lg"].get()


def template_worker(toolbox, audio_chunk_lst, video_chunk_lst):
    toolbox.header_aud = audio_chunk_lst[0]
    toolbox.header_vid = video_chunk_lst[0]
    del audio_chunk_lst[0]
    del video_chunk_lst[0]
    for idx, row_aud in enumerate(audio_chunk_lst):
        row_vid = video_chunk_lst[idx]
        if toolbox.STOP_MSG in str(row_aud) or toolbox.STOP_MSG in str(row_vid):
            return False
        send_output(toolbox, row_aud, row_vid)
    return True


def send_output(toolbox, row_aud, row_vid):
    header = toolbox.OUTPUT_HEADER + toolbox.header_aud
    toolbox.mp_output_q.put([header, row_aud])
    header = toolbox.OUTPUT_HEADER + toolbox.header_vid
    toolbox.mp_output_q.put([header, row_vid])
