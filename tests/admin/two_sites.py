"""URLs of a project with two admin sites."""

from django.contrib import admin
from django.urls import path

ops = admin.AdminSite("ops")
urlpatterns = [path("admin/", admin.site.urls), path("ops/", ops.urls)]
