"""The demo's URLs: pages answer GET, edits answer POST."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from demo_todo import edits, views

login = LoginView.as_view(redirect_authenticated_user=True, extra_context={"debug": settings.DEBUG})
urlpatterns = [
    path("", views.index, name="index"),
    path("lists/<int:pk>/", views.show_list, name="list"),
    path("lists/<int:pk>/delete/", views.delete_list, name="delete-list"),
    path("mine/", views.mine, name="mine"),
    path("lists/create/", edits.create_list, name="create-list"),
    path("lists/<int:pk>/rename/", edits.rename_list, name="rename-list"),
    path("lists/<int:pk>/invite/", edits.invite, name="invite"),
    path("lists/<int:pk>/tasks/", edits.add_task, name="add-task"),
    path("tasks/<int:pk>/", edits.update_task, name="update-task"),
    path("tasks/<int:pk>/reorder/", edits.reorder_task, name="reorder-task"),
    path("tasks/<int:pk>/delete/", edits.delete_task, name="delete-task"),
    path("login/", login, name="login"),
    path("logout/", LogoutView.as_view(next_page="login"), name="logout"),
    path("live/", include("realtime.urls")),
    path("admin/", admin.site.urls),
]
